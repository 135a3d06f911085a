// SPDX-License-Identifier: MIT
//! `write=MS`, a load for tests: one CPU runs no thread, and changes the clock as fast as it can for so many milliseconds.

use crate::machine::counter;
use crate::{println, vdso_kernel};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// REALTIME is one of these plus the time since the counter was 0; between two settings the rate and the sleep change it a
/// little. The base of the second lies 1.5 s back: a time that is torn between the two is wrong by half a second.
const FIRST: u64 = 1_000_000_000;
const SECOND: u64 = 3_000_000_000;
const PPB: i64 = 20_000_000;
const SLEPT_NS: u64 = 1_000;

static ASKED: AtomicBool = AtomicBool::new(false);
static STOPPED: AtomicBool = AtomicBool::new(false);
static UPDATES: AtomicU64 = AtomicU64::new(0);

/// Writes for `ticks` of the counter, or until the program is over.
pub fn run(counter_hz: u64, ticks: u64) {
    ASKED.store(true, Ordering::Relaxed);
    let (end, mut updates) = (counter() + ticks, 0);
    while counter() < end && !STOPPED.load(Ordering::Relaxed) {
        let done = vdso_kernel::update(|update, now| match updates % 6 {
            0 => update.set_realtime(now, (FIRST + now / counter_hz) as i64, nsec(now, counter_hz)),
            1 => update.adjust(now, PPB),
            2 => {
                let base = now.saturating_sub(counter_hz * 3 / 2);
                update.set_realtime(base, (SECOND + base / counter_hz) as i64, nsec(base, counter_hz))
            }
            3 => update.adjust(now, -PPB),
            4 => update.suspend(now),
            _ => update.resume(now, SLEPT_NS),
        });
        assert!(done.is_ok(), "no update is refused");
        updates += 1;
    }
    UPDATES.store(updates, Ordering::Relaxed);
}

fn nsec(counter: u64, counter_hz: u64) -> u32 {
    (counter % counter_hz * 1_000_000_000 / counter_hz) as u32
}

/// Notes that the program is over.
pub fn stop() {
    STOPPED.store(true, Ordering::Relaxed);
}

/// Prints the counts, once all CPUs have reported.
pub fn report() {
    if ASKED.load(Ordering::Relaxed) {
        println!("kernel: updates={}", UPDATES.load(Ordering::Relaxed));
    }
}
