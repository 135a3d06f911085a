// SPDX-License-Identifier: MIT
//! What a method of a generated vdso.rs answers, in the way of vdso.h: 0 and the time, or -1.

pub fn answer(time: Option<(i64, u32)>, sec: &mut i64, nsec: &mut u32) -> i32 {
    match time {
        Some(time) => {
            (*sec, *nsec) = time;
            0
        }
        None => -1,
    }
}
