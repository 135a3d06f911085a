// SPDX-License-Identifier: MIT
//! QEMU's `virt`: console, timer, interrupts (GICv2), other CPUs and power (PSCI), the time of day, the program.

use super::cpu::{read, wait_for_interrupt, write};
use super::fw_cfg_memory::Registers;
use super::{fw_cfg, KERNEL};
use crate::kernel::Machine;
use core::arch::asm;

// Devices, as boot.rs maps them
const DEVICES: usize = 0xffff_ff80_0000_0000;
const GIC_DISTRIBUTOR: usize = DEVICES + 0x0800_0000;
const GIC_INTERFACE: usize = DEVICES + 0x0801_0000;
const UART: usize = DEVICES + 0x0900_0000;
const CLOCK: usize = DEVICES + 0x0901_0000;
const FW_CFG: Registers = Registers(DEVICES + 0x0902_0000);

/// Where the device tree lies for a kernel that is an ELF file (QEMU's manual on `virt`).
const TREE: usize = KERNEL.0;

// Power State Coordination Interface (Arm DEN 0022)
const SYSTEM_OFF: usize = 0x8400_0008;
const CPU_ON: usize = 0xc400_0003;

// Numbers of interrupts: one that CPUs send each other, that of the virtual timer, and none
const CALL: u32 = 0;
const TIMER: u32 = 27;
const NONE: u32 = 1020;
const TIMER_ENABLE: usize = 1;
const TIMER_MASK: usize = 2;

fn load(register: usize) -> u32 {
    // SAFETY: registers of devices, which boot.rs maps.
    unsafe { (register as *const u32).read_volatile() }
}

fn store(register: usize, value: u32) {
    // SAFETY: as above.
    unsafe { (register as *mut u32).write_volatile(value) }
}

fn psci(function: usize, arguments: [usize; 3]) -> usize {
    let result;
    // SAFETY: the call changes no memory of this CPU, and these registers at most.
    unsafe {
        asm!("hvc #0", inlateout("x0") function => result, inlateout("x1") arguments[0] => _,
            inlateout("x2") arguments[1] => _, inlateout("x3") arguments[2] => _, clobber_abi("C"), options(nostack));
    }
    result
}

pub fn put(byte: u8) {
    while load(UART + 0x18) & 0x20 != 0 {}
    store(UART, u32::from(byte));
}

pub fn set_timer(deadline: u64) {
    write!("cntv_cval_el0", deadline);
    write!("cntv_ctl_el0", TIMER_ENABLE);
}

/// Interrupts another CPU.
pub fn interrupt(cpu: usize) {
    // SAFETY: only waits until the others can see what was stored.
    unsafe { asm!("dsb ish") }
    store(GIC_DISTRIBUTOR + 0xf00, 1 << (16 + cpu) | CALL);
}

/// Lets this CPU see the interrupts of its timer and of other CPUs, of every priority.
pub fn accept_interrupts() {
    store(GIC_DISTRIBUTOR, 1);
    store(GIC_DISTRIBUTOR + 0x100, 1 << TIMER | 1 << CALL);
    store(GIC_INTERFACE + 4, 0xff);
    store(GIC_INTERFACE, 1);
}

/// Takes back the interrupts that are pending. Returns whether the timer's was among them: it comes no more until it is set
/// anew.
pub fn take_interrupts() -> bool {
    let mut timer = false;
    loop {
        let taken = load(GIC_INTERFACE + 0xc);
        match taken & 1023 {
            NONE.. => return timer,
            TIMER => {
                write!("cntv_ctl_el0", TIMER_ENABLE | TIMER_MASK);
                timer = true;
            }
            _ => (),
        }
        store(GIC_INTERFACE + 0x10, taken);
    }
}

pub fn start_cpu(cpu: usize, entry: usize) {
    // SAFETY: only waits until the other can see what was stored.
    unsafe { asm!("dsb ish") }
    assert_eq!(psci(CPU_ON, [cpu, entry, 0]), 0, "PSCI CPU_ON");
}

pub fn shut_down(_failed: bool) -> ! {
    psci(SYSTEM_OFF, [0; 3]);
    loop {
        wait_for_interrupt();
    }
}

/// Returns the end of memory, as the device tree says it (Devicetree Specification 0.4, chapter 5).
///
/// # Safety
/// A device tree lies there.
unsafe fn memory_end() -> usize {
    let word = |at: usize| u32::from_be((at as *const u32).read()) as usize;
    let starts_with = |at: usize, text: &str| core::slice::from_raw_parts(at as *const u8, text.len()) == text.as_bytes();
    let (mut at, names) = (TREE + word(TREE + 8), TREE + word(TREE + 12));
    let mut in_memory = false;
    loop {
        at += 4;
        match word(at - 4) {
            // a node with its name, its end, a property, nothing
            1 => {
                in_memory = starts_with(at, "memory@");
                while (at as *const u8).read() != 0 {
                    at += 1;
                }
                at = (at + 4) & !3;
            }
            3 if in_memory && starts_with(names + word(at + 4), "reg\0") => {
                let number = |at| word(at) << 32 | word(at + 4);
                return number(at + 8) + number(at + 16);
            }
            3 => at += 8 + word(at).next_multiple_of(4),
            2 | 4 => (),
            other => panic!("token {other} in the device tree before its memory"),
        }
    }
}

/// Reads the machine. Memory and devices have fixed places; how much memory there is says the device tree, and all else fw_cfg.
///
/// # Safety
/// Nobody uses the memory behind the kernel.
pub unsafe fn read(_argument: usize) -> Machine {
    store(UART + 0x30, 0x301); // the UART and its transmitter are on
    let mut machine = fw_cfg::machine(&FW_CFG, memory_end().min(KERNEL.1));
    machine.counter_hz = read!("cntfrq_el0") as u64;
    machine.wall_ns = Some(u64::from(load(CLOCK)) * 1_000_000_000);
    machine
}
