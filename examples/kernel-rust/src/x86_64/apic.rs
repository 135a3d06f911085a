// SPDX-License-Identifier: MIT
//! The local APIC of each CPU: its timer, interrupts between CPUs, and their start (Intel SDM, Volume 3, chapter 11).

use super::boot::{trampoline_code, STARTED, TRAMPOLINE};
use super::cpu::{counter, VECTOR_CALL, VECTOR_SPURIOUS, VECTOR_TIMER};
use super::paging::{BASE, DEVICES, PAGE};
use core::hint::spin_loop;
use core::sync::atomic::{AtomicU64, Ordering};

const APIC: usize = DEVICES + 0xfee0_0000;

// Registers
const END_OF_INTERRUPT: usize = 0xb0;
const SPURIOUS: usize = 0xf0;
const IN_SERVICE: usize = 0x100;
const COMMAND: usize = 0x300;
const COMMAND_TO: usize = 0x310;
const TIMER: usize = 0x320;
const TIMER_START: usize = 0x380;
const TIMER_COUNT: usize = 0x390;
const TIMER_DIVIDE: usize = 0x3e0;

const ENABLED: u32 = 1 << 8;
const MASKED: u32 = 1 << 16;
const DIVIDE_BY_1: u32 = 0xb;
const SENT_NOT_YET: u32 = 1 << 12;
const ASSERT: u32 = 1 << 14;
const INIT: u32 = 5 << 8;
const START_UP: u32 = 6 << 8;

static COUNTER_HZ: AtomicU64 = AtomicU64::new(0);
static TIMER_HZ: AtomicU64 = AtomicU64::new(0);

fn load(register: usize) -> u32 {
    // SAFETY: registers of this CPU's APIC, which boot.rs maps.
    unsafe { ((APIC + register) as *const u32).read_volatile() }
}

fn store(register: usize, value: u32) {
    // SAFETY: as above.
    unsafe { ((APIC + register) as *mut u32).write_volatile(value) }
}

/// Lets this CPU's APIC deliver interrupts.
pub fn start() {
    store(SPURIOUS, ENABLED | VECTOR_SPURIOUS as u32);
    store(TIMER_DIVIDE, DIVIDE_BY_1);
    store(TIMER, MASKED | VECTOR_TIMER as u32);
}

/// Returns what the timer has left of 2^32 - 1 ticks, from which it starts where it has not yet.
pub fn timer_count() -> u32 {
    if load(TIMER_COUNT) == 0 {
        store(TIMER_START, u32::MAX);
    }
    load(TIMER_COUNT)
}

/// Notes the frequencies of the counter and of the timer.
pub fn set_rates(counter_hz: u64, timer_hz: u64) {
    COUNTER_HZ.store(counter_hz, Ordering::Relaxed);
    TIMER_HZ.store(timer_hz, Ordering::Relaxed);
}

/// The timer has its own rate, and comes after a second at the latest: what is later is set anew then.
pub fn set_timer(deadline: u64) {
    if deadline == u64::MAX {
        return store(TIMER_START, 0);
    }
    let (counter_hz, timer_hz) = (COUNTER_HZ.load(Ordering::Relaxed), TIMER_HZ.load(Ordering::Relaxed));
    let ticks = deadline.saturating_sub(counter()).min(counter_hz);
    store(TIMER, VECTOR_TIMER as u32);
    store(TIMER_START, (u128::from(ticks) * u128::from(timer_hz) / u128::from(counter_hz)) as u32 + 1);
}

fn command(cpu: usize, what: u32) {
    store(COMMAND_TO, (cpu as u32) << 24);
    store(COMMAND, ASSERT | what);
    while load(COMMAND) & SENT_NOT_YET != 0 {
        spin_loop();
    }
}

/// Interrupts another CPU.
pub fn interrupt(cpu: usize) {
    command(cpu, VECTOR_CALL as u32);
}

fn is_in_service(vector: usize) -> bool {
    load(IN_SERVICE + vector / 32 * 16) >> (vector % 32) & 1 != 0
}

/// Takes back the interrupt that was taken. Returns whether it was the timer's.
pub fn take_interrupt() -> bool {
    let timer = is_in_service(VECTOR_TIMER);
    if timer || is_in_service(VECTOR_CALL) {
        store(END_OF_INTERRUPT, 0);
    }
    timer
}

/// Tells whether so many microseconds have passed since the counter was `start`.
fn is_past(start: u64, microseconds: u64) -> bool {
    counter() - start >= COUNTER_HZ.load(Ordering::Relaxed) * microseconds / 1_000_000
}

fn wait(microseconds: u64) {
    let start = counter();
    while !is_past(start, microseconds) {
        spin_loop();
    }
}

/// Sends INIT, and the place to start at, until the CPU has come from there; that of the trampoline leads to the entry.
pub fn start_cpu(cpu: usize, _entry: usize) {
    let (code, came) = (trampoline_code(), STARTED.load(Ordering::Acquire));
    // SAFETY: nobody else uses that page, but a CPU that started before, which has left it.
    unsafe { ((BASE + TRAMPOLINE) as *mut u8).copy_from_nonoverlapping(code.as_ptr(), code.len()) }
    command(cpu, INIT);
    wait(10_000);
    for _ in 0..2 {
        command(cpu, START_UP | (TRAMPOLINE / PAGE) as u32);
        wait(200);
    }
    let start = counter();
    while STARTED.load(Ordering::Acquire) == came {
        assert!(!is_past(start, 10_000_000), "CPU {cpu} has not started");
        spin_loop();
    }
}
