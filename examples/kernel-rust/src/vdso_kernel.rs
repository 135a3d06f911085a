// SPDX-License-Identifier: MIT
//! Everything that a kernel does for its vDSO. Copy this file into yours; `vdso.rs`, which scons-vdso makes, goes beside it.

use crate::lock::Lock;
use crate::machine::{self, EXECUTE, PAGE, READ};
use crate::vdso::{self, Refused, Update, VdsoDataPage, DATA_OFFSET, IMAGE, IMAGE_PAGES, LOAD_ADDR};
use core::sync::atomic::Ordering;

const AT_SYSINFO_EHDR: usize = 33;

/// The data page. The kernel reaches it here, where it may write; user space has a mapping of its own.
static DATA: VdsoDataPage = VdsoDataPage::new();

/// Allows one writer at a time, and no reader of the kernel beside it. User space takes no lock.
static CLOCK: Lock<()> = Lock::new(());

// Words of the kernel's own part of the page, for functions of its own in the vDSO (examples/user-functions/words.h).
const WORD_ONLY_CPU: usize = 0;
const WORD_TIMEBASE_HZ: usize = 1;

/// Reads the counter that user mode reads. With COUNTER=mmio:OFFSET it is a word of a page of a device, which is mapped into
/// each program; `machine` knows which.
#[cfg(counter_page)]
fn counter() -> u64 {
    // SAFETY: the page is there, and nobody writes the counter.
    unsafe { vdso::counter(machine::device(machine::COUNTER_PAGE) as *const u8) }
}

/// Reads the counter that user mode reads.
#[cfg(not(counter_page))]
fn counter() -> u64 {
    vdso::counter()
}

/// Call it once, before the first program: the page counts from here on. `wall_ns`: nanoseconds since 1970, if known; else
/// it is 1970, as on Linux, until somebody sets the clock. If REALTIME were not set at all, time() would fail.
/// `program_cpus` CPUs will run programs, numbers 0 and up. A kernel that lets another one join stores 0 before that.
pub fn start_clock(timebase_hz: u64, wall_ns: Option<u64>, program_cpus: usize) {
    DATA.0.init(timebase_hz).expect("a frequency that the data page does");
    let only_cpu_plus_one = u64::from(program_cpus == 1); // its number is 0
    DATA.0.extra[WORD_ONLY_CPU].store(only_cpu_plus_one, Ordering::Relaxed);
    DATA.0.extra[WORD_TIMEBASE_HZ].store(timebase_hz, Ordering::Relaxed);
    let ns = wall_ns.unwrap_or(0);
    let set = |update: &Update<'_>, now| update.set_realtime(now, (ns / 1_000_000_000) as i64, (ns % 1_000_000_000) as u32);
    update(set).expect("nanoseconds of a second");
}

/// Call it for each address space. `map(user address, kernel's address, access)` maps one page for user mode.
pub fn map<E>(mut map: impl FnMut(usize, usize, usize) -> Result<(), E>) -> Result<(), E> {
    const IMAGE_ACCESS: usize = READ | EXECUTE;
    const DATA_ACCESS: usize = READ;
    // Where this kernel sees a page at another address than the physical one, `map` translates that.
    let image = &raw const IMAGE as usize;
    let data = &raw const DATA as usize;
    #[cfg(counter_page)]
    map(LOAD_ADDR.wrapping_add_signed(vdso::COUNTER_OFFSET), machine::COUNTER_PAGE, READ)?;
    for offset in (0..IMAGE_PAGES).map(|page| page * PAGE) {
        map(LOAD_ADDR + offset, image + offset, IMAGE_ACCESS)?;
    }
    map(LOAD_ADDR.wrapping_add_signed(DATA_OFFSET), data, DATA_ACCESS)
}

/// Returns an entry for the auxiliary vector of each program: by it the C library finds the vDSO.
pub fn auxv() -> (usize, usize) {
    (AT_SYSINFO_EHDR, LOAD_ADDR)
}

/// Returns the address that a signal handler returns to.
#[cfg(sigreturn)]
pub fn sigreturn() -> Option<usize> {
    Some(LOAD_ADDR + vdso::sym::RT_SIGRETURN)
}

/// The image has no code that a signal handler could return to: C libraries bring it.
#[cfg(not(sigreturn))]
pub fn sigreturn() -> Option<usize> {
    None
}

/// Call it on each CPU, before user mode: it lets programs read the counter; `machine` knows how.
pub fn allow_counter() {
    machine::allow_counter(true);
}

/// Changes the clock: `change` gets an update, whose methods are those of the page, and the counter. The counter is read
/// after `begin`; otherwise MONOTONIC could go back on another CPU, which has read a later counter and the old values.
pub fn update(change: impl FnOnce(&Update<'_>, u64) -> Result<(), Refused>) -> Result<(), Refused> {
    let _lock = CLOCK.lock();
    let update = DATA.0.begin();
    let now = counter();
    change(&update, now)
}

/// Says that the counter can't be relied on: from here on every program asks the kernel, and reads no counter any more.
pub fn unreliable() {
    let _lock = CLOCK.lock();
    DATA.0.disable();
}

/// Answers the kernel's own clock_gettime: seconds and nanoseconds; None: there is no such clock. The counter is read under
/// the lock, and `counter` keeps it there, which acquire and release of a lock do not.
pub fn clock_gettime(clock: i32) -> Option<(i64, u32)> {
    let _lock = CLOCK.lock();
    DATA.0.read(clock, counter())
}

/// Answers the kernel's own clock_getres.
pub fn clock_getres(clock: i32) -> Option<(i64, u32)> {
    let _lock = CLOCK.lock();
    DATA.0.getres(clock)
}
