// SPDX-License-Identifier: MIT
//! The smallest kernel with a vDSO: it prints where it would map the vDSO and what time it is, and switches the machine off.

#![no_std]
#![no_main]
#![deny(warnings)]

mod vdso {
    include!(concat!(env!("OUT_DIR"), "/vdso.rs"));
}

use core::arch::{asm, global_asm};
use core::fmt::{self, Write};
use core::panic::PanicInfo;
use vdso::{clock, counter, VdsoDataPage, DATA_OFFSET, IMAGE, IMAGE_SIZE, LOAD_ADDR};

const TIMEBASE_HZ: u64 = 10_000_000; // of QEMU's `virt`; a real kernel reads it in the device tree
const SBI_PUTCHAR: usize = 1;
const SBI_SHUTDOWN: usize = 8;

static PAGE: VdsoDataPage = VdsoDataPage::new();

global_asm!(
    ".section .text.boot, \"ax\"",
    ".global _start",
    "_start:",
    "la sp, stack + 0x4000",
    "tail kernel",
    ".section .bss.stack, \"aw\", @nobits",
    ".balign 16",
    "stack: .skip 0x4000"
);

fn sbi(call: usize, argument: usize) {
    // SAFETY: an SBI call changes only a0 and a1, and no memory.
    unsafe { asm!("ecall", inlateout("a0") argument => _, lateout("a1") _, in("a7") call, options(nostack)) }
}

struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| sbi(SBI_PUTCHAR, byte.into()));
        Ok(())
    }
}

#[no_mangle]
extern "C" fn kernel() -> ! {
    PAGE.0.init(TIMEBASE_HZ).expect("a frequency that the page does");
    let (sec, nsec) = PAGE.0.read(clock::MONOTONIC, counter()).expect("the page serves it");
    let image = IMAGE.0.as_ptr();
    let _ = writeln!(Console, "image: {image:p} to {LOAD_ADDR:#x}, {IMAGE_SIZE:#x} bytes, user R-X");
    let _ = writeln!(Console, "data page: {:p} to {:#x}, user R--", &PAGE, LOAD_ADDR.wrapping_add_signed(DATA_OFFSET));
    let _ = writeln!(Console, "CLOCK_MONOTONIC: {sec}.{nsec:09}");
    sbi(SBI_SHUTDOWN, 0);
    unreachable!("the machine is off")
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    let _ = writeln!(Console, "{info}");
    loop {
        // SAFETY: wfi only waits.
        unsafe { asm!("wfi") }
    }
}
