// SPDX-License-Identifier: MIT
//! Updates of the page as a kernel in Rust makes them, under the names of order_kernel.c.
#![no_std]
#![allow(missing_docs)]

pub mod vdso;

use core::arch::asm;
use vdso::VdsoData;

fn counter() -> u64 {
    let now;
    unsafe { asm!("rdtime {}", out(reg) now, options(nostack, preserves_flags)) };
    now
}

/// `update_`: the counter is read after begin, as vdso.rs demands; `early_`: before it, as it forbids.
macro_rules! update {
    ($update:ident, $early:ident, |$d:ident, $counter:ident, $a:ident, $b:ident| $call:expr) => {
        #[no_mangle]
        pub extern "C" fn $update(d: &VdsoData, $a: i64, $b: u32) {
            let $d = d.begin();
            let $counter = counter();
            let _ = ($counter, $a, $b);
            let _ = $call;
        }
        #[no_mangle]
        pub extern "C" fn $early(d: &VdsoData, $a: i64, $b: u32) {
            let $counter = counter();
            let $d = d.begin();
            let _ = ($counter, $a, $b);
            let _ = $call;
        }
    };
}

update!(update_set_realtime, early_set_realtime, |d, counter, a, b| d.set_realtime(counter, a, b));
update!(update_set_monotonic, early_set_monotonic, |d, counter, a, b| d.set_monotonic(counter, a, b));
update!(update_adjust, early_adjust, |d, counter, a, b| d.adjust(counter, a));
update!(update_set_tai_offset, early_set_tai_offset, |d, counter, a, b| d.set_tai_offset(a as i32));
update!(update_suspend, early_suspend, |d, counter, a, b| d.suspend(counter));
update!(update_resume, early_resume, |d, counter, a, b| d.resume(counter, a as u64));
update!(update_set_tick, early_set_tick, |d, counter, a, b| d.set_tick(counter, a as u32));
update!(update_tick, early_tick, |d, counter, a, b| d.tick(counter));
update!(update_disable, early_disable, |d, counter, a, b| d.disable());

#[no_mangle]
pub extern "C" fn bare_init(d: &VdsoData, hz: i64) {
    let _ = d.init(hz as u64);
}
#[no_mangle]
pub extern "C" fn bare_set_realtime(d: &VdsoData, sec: i64, nsec: u32) {
    let _ = d.set_realtime(counter(), sec, nsec);
}
#[no_mangle]
pub extern "C" fn bare_set_tai_offset(d: &VdsoData, sec: i64) {
    d.set_tai_offset(sec as i32);
}
#[no_mangle]
pub extern "C" fn bare_tick(d: &VdsoData) {
    let _ = d.tick(counter());
}
#[no_mangle]
pub extern "C" fn bare_disable(d: &VdsoData) {
    d.disable();
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
