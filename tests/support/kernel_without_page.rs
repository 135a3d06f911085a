// SPDX-License-Identifier: MIT
//! The functions of a generated vdso.rs without a data page, under the names of kernel_without_page.c.
#![allow(missing_docs)]

pub mod vdso;

fn answer(time: Option<(i64, u32)>, sec: &mut i64, nsec: &mut u32) -> i32 {
    match time {
        Some(time) => {
            (*sec, *nsec) = time;
            0
        }
        None => -1,
    }
}

#[no_mangle]
pub extern "C" fn k_read(clock: i32, counter: u64, sec: &mut i64, nsec: &mut u32) -> i32 {
    answer(vdso::read(clock, counter), sec, nsec)
}

#[no_mangle]
pub extern "C" fn k_getres(clock: i32, sec: &mut i64, nsec: &mut u32) -> i32 {
    answer(vdso::getres(clock), sec, nsec)
}
