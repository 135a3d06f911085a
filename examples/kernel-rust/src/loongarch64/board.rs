// SPDX-License-Identifier: MIT
//! QEMU's `virt`: console, timer, interrupts between CPUs, power, the time of day, the program.

use super::boot::{MAY_START, STARTED};
use super::cpu::{counter, cpucfg, wait_for_interrupt, write_csr, TCFG};
use super::fw_cfg;
use super::fw_cfg_memory::Registers;
use crate::kernel::Machine;
use core::arch::asm;
use core::sync::atomic::{AtomicU32, Ordering};

// Devices, as boot.rs maps them.
const DEVICES: usize = 0x8000_0000_0000_0000;
const UART: usize = DEVICES + 0x1fe0_01e0;
const FW_CFG: Registers = Registers(DEVICES + 0x1e02_0000);
const POWER: usize = DEVICES + 0x100e_001c;
const CLOCK: usize = DEVICES + 0x100d_0100 + 0x2c;

// Registers of each CPU, for iocsrrd and iocsrwr (Loongson 3A5000 manual, 10.2)
const IPI_STATUS: usize = 0x1000;
const IPI_ENABLE: usize = 0x1004;
const IPI_CLEAR: usize = 0x100c;
const IPI_SEND: usize = 0x1040;
const MAIL_SEND: usize = 0x1048;
const WAIT: usize = 1 << 31;

/// QEMU has 256 MiB of memory at 0, and more elsewhere.
const LOW_MEMORY_END: usize = 256 << 20;

fn write_iocsr(register: usize, value: usize) {
    // SAFETY: only registers of interrupts between CPUs are written.
    unsafe { asm!("iocsrwr.w {}, {}", in(reg) value, in(reg) register, options(nostack)) }
}

fn write_iocsr64(register: usize, value: usize) {
    // SAFETY: as above.
    unsafe { asm!("iocsrwr.d {}, {}", in(reg) value, in(reg) register, options(nostack)) }
}

fn read_iocsr(register: usize) -> usize {
    let value: usize;
    // SAFETY: reading has no effect.
    unsafe { asm!("iocsrrd.w {}, {}", out(reg) value, in(reg) register, options(nostack)) }
    value
}

pub fn put(byte: u8) {
    let uart = UART as *mut u8;
    // SAFETY: a 16550; bit 5 of its line status says that it takes a byte.
    unsafe {
        while uart.add(5).read_volatile() & 0x20 == 0 {}
        uart.write_volatile(byte);
    }
}

/// The timer counts down, at the rate of the counter and in steps of 4.
pub fn set_timer(deadline: u64) {
    let ticks = deadline.saturating_sub(counter()).min(1 << 40) as usize;
    write_csr!(TCFG, (ticks + 4) / 4 << 2 | 1);
}

/// Interrupts another CPU.
pub fn interrupt(cpu: usize) {
    write_iocsr(IPI_SEND, WAIT | cpu << 16);
}

/// Lets other CPUs interrupt this one.
pub fn accept_calls() {
    write_iocsr(IPI_ENABLE, 0xffff_ffff);
}

/// Takes back what they have sent.
pub fn take_calls() {
    write_iocsr(IPI_CLEAR, read_iocsr(IPI_STATUS));
}

/// Lets a CPU start: by the word that it looks at, or with newer versions of QEMU by an address in its mailbox.
///
/// Such a CPU may still be on its way to where it waits, and empties its mailbox there: so it is called again until it has come.
pub fn start_cpu(cpu: usize, entry: usize) {
    static CALLED: AtomicU32 = AtomicU32::new(0);
    let called = CALLED.fetch_add(1, Ordering::SeqCst) + 1;
    MAY_START.store(1, Ordering::SeqCst);
    while STARTED.load(Ordering::SeqCst) < called {
        for half in 0..2 {
            let part = entry >> (32 * half) & 0xffff_ffff;
            write_iocsr64(MAIL_SEND, part << 32 | WAIT | cpu << 16 | half << 2);
        }
        interrupt(cpu);
        let now = counter();
        while counter() - now < counter_hz() / 1000 {}
    }
}

pub fn shut_down(_failed: bool) -> ! {
    // SAFETY: the register of the power button.
    unsafe { (POWER as *mut u8).write_volatile(0x34) }
    loop {
        wait_for_interrupt();
    }
}

/// Returns the nanoseconds since 1970 of the clock of the 7A bridge, which is set to UTC and counts years from 1900.
fn clock_ns() -> u64 {
    let clock = CLOCK as *const u32;
    let (now, year) = loop {
        // SAFETY: registers of the clock: the time in a year, the year.
        let (first, year, again) = unsafe { (clock.read_volatile(), clock.add(1).read_volatile(), clock.read_volatile()) };
        if first == again {
            break (u64::from(first), u64::from(year));
        }
    };
    // Days are counted from March: February, whose length varies, comes last.
    let month = now >> 26;
    let years = 1900 + year - u64::from(month < 3);
    let since = if month < 3 { month + 9 } else { month - 3 };
    let days = years * 365 + years / 4 - years / 100 + years / 400 + (since * 153 + 2) / 5 + (now >> 21 & 31) - 1 - 719_468;
    let seconds = (now >> 16 & 31) * 3600 + (now >> 10 & 63) * 60 + (now >> 4 & 63);
    (days * 86_400 + seconds) * 1_000_000_000 + (now & 15) * 100_000_000
}

/// Returns the counter's frequency (LoongArch Reference Manual, Volume 1, 2.2.10.5); 0 where CPUCFG does not say it.
fn counter_hz() -> u64 {
    let (base, ratio) = (cpucfg(4), cpucfg(5));
    if cpucfg(2) & 1 << 14 == 0 || ratio >> 16 == 0 {
        return 0;
    }
    (base * (ratio & 0xffff) / (ratio >> 16)) as u64
}

/// Reads the machine. There is nothing at an address: QEMU tells all in fw_cfg.
///
/// # Safety
/// Nobody uses the memory behind the kernel.
pub unsafe fn read(_argument: usize) -> Machine {
    let mut machine = fw_cfg::machine(&FW_CFG, LOW_MEMORY_END);
    machine.counter_hz = counter_hz();
    machine.wall_ns = Some(clock_ns());
    machine
}
