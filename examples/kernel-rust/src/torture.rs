// SPDX-License-Identifier: MIT
//! `write=MS`: one hart changes the clock for so long, as fast as it can.

use crate::cpu::counter;
use crate::{println, vdso_kernel};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// REALTIME is one of these, plus the time since the counter was 0. A time that is torn between them is near neither.
const TIMES: [u64; 2] = [1_000_000_000, 3_000_000_000];
const RATES: [i64; 2] = [400_000, -400_000];
const SLEPT_NS: u64 = 1_000;

static STOPPED: AtomicBool = AtomicBool::new(false);
static UPDATES: AtomicU64 = AtomicU64::new(0);
static ASKED: AtomicBool = AtomicBool::new(false);

/// Writes until the counter is at `end`, or the program is over.
pub fn run(timebase_hz: u64, end: u64) {
    ASKED.store(true, Ordering::Relaxed);
    let mut updates = 0;
    while counter() < end && !STOPPED.load(Ordering::Relaxed) {
        let turn = updates / 3 % 2;
        vdso_kernel::update(|update, now| match updates % 3 {
            0 => {
                let sec = TIMES[turn] + now / timebase_hz;
                let nsec = now % timebase_hz * 1_000_000_000 / timebase_hz;
                update.set_realtime(now, sec as i64, nsec as u32);
            }
            1 => update.adjust(now, RATES[turn]),
            _ => {
                update.suspend(now);
                update.resume(counter(), SLEPT_NS);
            }
        });
        updates += 1;
    }
    UPDATES.store(updates as u64, Ordering::Relaxed);
}

pub fn stop() {
    STOPPED.store(true, Ordering::Relaxed);
}

/// After all harts have reported.
pub fn report() {
    if ASKED.load(Ordering::Relaxed) {
        println!("kernel: updates={}", UPDATES.load(Ordering::Relaxed));
    }
}
