// SPDX-License-Identifier: MIT
//! A small kernel that runs one program of Linux on riscv64, to show what a kernel does for its vDSO: `vdso_kernel.rs`.
//!
//! Boot words: `vdso=off` maps no vDSO; `counter=off` forbids programs to read the counter, `page=off` lets the data page
//! say that they must ask the kernel; `write=MS` makes a hart change the clock for so many milliseconds; the words behind
//! `--` are the program's arguments. The program is the initial RAM disk.

#![no_std]
#![no_main]
#![deny(warnings)]

mod fdt;
mod hart;
mod kernel;
mod lock;
#[cfg_attr(target_arch = "riscv64", path = "riscv64/mod.rs")]
mod machine;
mod memory;
mod program;
mod signal;
mod syscall;
mod torture;
mod vdso_kernel;

#[allow(dead_code)] // it offers more than this kernel uses
mod vdso {
    include!(concat!(env!("OUT_DIR"), "/vdso.rs"));
}

use crate::hart::Hart;
use crate::kernel::{Kernel, MAX_HARTS};
use crate::machine::{cpu, sbi};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

const STACK: usize = 32 << 10;

#[repr(C, align(16))]
struct Stacks([[u8; STACK]; MAX_HARTS]);

#[no_mangle]
static mut STACKS: Stacks = Stacks([[0; STACK]; MAX_HARTS]);

/// Harts that have taken a stack.
#[no_mangle]
static ARRIVED: AtomicU32 = AtomicU32::new(0);

static WRITE_TICKS: AtomicU64 = AtomicU64::new(0);
static SATP: AtomicUsize = AtomicUsize::new(0);

extern "C" {
    fn _start();
    static kernel_end: u8;
}

/// Goes on with the first hart: sets up what all share, and starts the others when the program is ready to run.
#[no_mangle]
extern "C" fn boot(hart: usize, tree: usize) -> ! {
    // SAFETY: the firmware's device tree is there, and nobody writes it.
    let mut machine = fdt::machine(unsafe { fdt::tree(tree) });
    let found = &mut machine.harts[..machine.hart_count];
    let first = found.iter().position(|other| *other == hart).expect("the hart is in the device tree");
    found.swap(0, first);
    // SAFETY: QEMU's clock (goldfish-rtc), read before there is a page table. A read of its first word latches the second.
    let wall_ns = machine.rtc.map(|rtc| unsafe {
        let low = (rtc as *const u32).read_volatile();
        u64::from((rtc as *const u32).add(1).read_volatile()) << 32 | u64::from(low)
    });

    let (words, arguments) = machine.words.split_once("--").unwrap_or((machine.words, ""));
    let word = |name: &str| words.split_ascii_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let write: Option<u64> = word("write").map(|ms| ms.parse().expect("write=MS"));
    let writers = usize::from(write.is_some());
    assert!(writers < machine.hart_count, "write= needs a second hart");
    vdso_kernel::start_clock(machine.timebase_hz, wall_ns, machine.hart_count - writers);
    if word("page") == Some("off") {
        vdso_kernel::unreliable();
    }
    hart::COUNTER.store(word("counter") != Some("off"), Ordering::Relaxed);

    let mut kernel = Kernel::lock();
    // SAFETY: the linker's symbol is not read, and the firmware's loader put the program there.
    let (end, elf) = unsafe {
        let program = machine.program;
        (&raw const kernel_end as usize, core::slice::from_raw_parts(program.0 as *const u8, program.1 - program.0))
    };
    kernel.take_machine(&machine, end, writers);
    program::start(&mut kernel, elf, arguments, word("vdso") != Some("off"));
    if let Some(ms) = write {
        WRITE_TICKS.store(ms * machine.timebase_hz / 1000, Ordering::Relaxed);
    }
    SATP.store(kernel.space.satp(), Ordering::Release);
    for index in 1..machine.hart_count {
        sbi::start_hart(machine.harts[index], _start as *const () as usize);
    }
    drop(kernel);
    run(0)
}

/// Goes on with each other hart, which waits here until the first has made everything ready.
#[no_mangle]
extern "C" fn boot_next(hart: usize) -> ! {
    let index = {
        let kernel = Kernel::lock();
        kernel.harts[..kernel.hart_count].iter().position(|other| *other == hart).expect("the hart is in the device tree")
    };
    run(index)
}

fn run(index: usize) -> ! {
    let mut hart = Hart::new(index, SATP.load(Ordering::Acquire));
    let (user_harts, timebase_hz) = {
        let kernel = Kernel::lock();
        (kernel.user_harts, kernel.timebase_hz)
    };
    if index < user_harts {
        hart.run_threads();
    }
    torture::run(timebase_hz, WRITE_TICKS.load(Ordering::Relaxed));
    hart.report();
    loop {
        cpu::wait_for_interrupt();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    println!("kernel: {info}");
    sbi::shut_down(true)
}
