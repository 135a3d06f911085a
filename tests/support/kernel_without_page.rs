// SPDX-License-Identifier: MIT
//! The functions of a generated vdso.rs without a data page, under the names of kernel_without_page.c.
#![allow(missing_docs)]

mod answer;
pub mod vdso;

use answer::answer;

#[no_mangle]
pub extern "C" fn k_read(clock: i32, counter: u64, sec: &mut i64, nsec: &mut u32) -> i32 {
    answer(vdso::read(clock, counter), sec, nsec)
}

#[no_mangle]
pub extern "C" fn k_getres(clock: i32, sec: &mut i64, nsec: &mut u32) -> i32 {
    answer(vdso::getres(clock), sec, nsec)
}
