// SPDX-License-Identifier: MIT
//! A kernel of a line a call for kernel_side.py: the methods of the generated vdso.rs under the names of kernel.c.
#![allow(missing_docs, clippy::missing_safety_doc)]

use core::ops::Deref;

mod answer;
pub mod vdso;

use answer::answer;
use vdso::{Refused, Update, VdsoData};

/// An update that somebody has begun is under way: the guard for the calls that need one. Forgotten, it stays under way.
fn under_way<'a>(d: &'a VdsoData, call: impl FnOnce(&Update<'a>) -> Result<(), Refused>) -> i32 {
    let depth = unsafe { (d as *const VdsoData).cast::<u64>().add(792 / 8).read() };
    if depth == 0 {
        return -1;
    }
    status(call(&d.begin()))
}

fn status(result: Result<(), Refused>) -> i32 {
    match result {
        Ok(()) => 0,
        Err(Refused) => -1,
    }
}

#[no_mangle]
pub extern "C" fn k_init(d: &VdsoData, hz: u64) -> i32 {
    status(d.init(hz))
}
#[no_mangle]
pub extern "C" fn k_begin(d: &VdsoData) {
    std::mem::forget(d.begin());
}
#[no_mangle]
pub extern "C" fn k_end(d: &VdsoData) {
    // dropping a guard is the only way to end: a copy of the one that `k_begin` has forgotten
    let guard: Update<'_> = unsafe { std::mem::transmute(d) };
    assert!(std::ptr::eq(guard.deref(), d));
}
#[no_mangle]
pub extern "C" fn k_disable(d: &VdsoData) {
    d.disable();
}
#[no_mangle]
pub extern "C" fn k_set_realtime(d: &VdsoData, counter: u64, sec: i64, nsec: u32) -> i32 {
    status(d.set_realtime(counter, sec, nsec))
}
#[no_mangle]
pub extern "C" fn k_set_monotonic(d: &VdsoData, counter: u64, sec: i64, nsec: u32) -> i32 {
    under_way(d, |update| update.set_monotonic(counter, sec, nsec))
}
#[no_mangle]
pub extern "C" fn k_adjust(d: &VdsoData, counter: u64, ppb: i64) -> i32 {
    under_way(d, |update| update.adjust(counter, ppb))
}
#[no_mangle]
pub extern "C" fn k_set_tai_offset(d: &VdsoData, sec: i32) {
    d.set_tai_offset(sec);
}
#[no_mangle]
pub extern "C" fn k_suspend(d: &VdsoData, counter: u64) -> i32 {
    under_way(d, |update| update.suspend(counter))
}
#[no_mangle]
pub extern "C" fn k_resume(d: &VdsoData, counter: u64, slept_ns: u64) -> i32 {
    under_way(d, |update| update.resume(counter, slept_ns))
}
#[no_mangle]
pub extern "C" fn k_set_tick(d: &VdsoData, counter: u64, nsec: u32) -> i32 {
    status(d.set_tick(counter, nsec))
}
#[no_mangle]
pub extern "C" fn k_tick(d: &VdsoData, counter: u64) -> i32 {
    status(d.tick(counter))
}
#[no_mangle]
pub extern "C" fn k_read(d: &VdsoData, clock: i32, counter: u64, sec: &mut i64, nsec: &mut u32) -> i32 {
    answer(d.read(clock, counter), sec, nsec)
}
#[no_mangle]
pub extern "C" fn k_getres(d: &VdsoData, clock: i32, sec: &mut i64, nsec: &mut u32) -> i32 {
    answer(d.getres(clock), sec, nsec)
}
