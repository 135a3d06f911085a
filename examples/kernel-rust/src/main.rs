// SPDX-License-Identifier: MIT
//! A small kernel that runs one program of Linux, to show what a kernel does for its vDSO: `vdso_kernel.rs`.
//!
//! Boot words: `vdso=off` maps no vDSO; `counter=off` forbids programs to read the counter, `page=off` lets the data page
//! say that they must ask the kernel; `write=MS` makes a CPU change the clock for so many milliseconds; the words behind
//! `--` are the program's arguments. The machine says where the program is.

#![no_std]
#![no_main]
#![deny(warnings)]

mod console;
mod cpu;
mod kernel;
mod lock;
#[cfg_attr(target_arch = "aarch64", path = "aarch64/mod.rs")]
#[cfg_attr(target_arch = "loongarch64", path = "loongarch64/mod.rs")]
#[cfg_attr(target_arch = "riscv64", path = "riscv64/mod.rs")]
#[cfg_attr(target_arch = "x86_64", path = "x86_64/mod.rs")]
mod machine;
mod memory;
mod program;
mod signal;
mod syscall;
mod torture;
mod trap;
mod vdso_kernel;

mod vdso {
    include!(concat!(env!("OUT_DIR"), "/vdso.rs"));
}

use crate::cpu::Cpu;
use crate::kernel::{Kernel, MAX_CPUS};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const STACK: usize = 32 << 10;

#[repr(C, align(16))]
struct Stacks([[u8; STACK]; MAX_CPUS]);

#[no_mangle]
static mut STACKS: Stacks = Stacks([[0; STACK]; MAX_CPUS]);

static WRITE_TICKS: AtomicU64 = AtomicU64::new(0);
/// The address of the first page table.
static ROOT: AtomicUsize = AtomicUsize::new(0);

extern "C" {
    fn _start();
    static kernel_end: u8;
}

/// Goes on with the first CPU: sets up what all share, and starts the others when the program is ready to run.
#[no_mangle]
extern "C" fn boot(cpu: usize, argument: usize) -> ! {
    // SAFETY: the argument is what the machine's boot.rs got.
    let mut machine = unsafe { machine::read(argument) };
    let found = &mut machine.cpus[..machine.cpu_count];
    let first = found.iter().position(|other| *other == cpu).expect("the machine knows this CPU");
    found.swap(0, first);
    let (words, arguments) = machine.words.split_once("--").unwrap_or((machine.words, ""));
    let word = |name: &str| words.split_ascii_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let write: Option<u64> = word("write").map(|ms| ms.parse().expect("write=MS"));
    let writers = usize::from(write.is_some());
    assert!(writers < machine.cpu_count, "write= needs a second CPU");
    vdso_kernel::start_clock(machine.counter_hz, machine.wall_ns, machine.cpu_count - writers);
    if machine.counter_unreliable || word("page") == Some("off") {
        vdso_kernel::unreliable();
    }
    cpu::COUNTER.store(word("counter") != Some("off"), Ordering::Relaxed);

    let mut kernel = Kernel::lock();
    // SAFETY: the linker's symbol is not read, and the machine says where the program is.
    let (end, elf) = unsafe {
        let program = machine.program;
        (&raw const kernel_end as usize, core::slice::from_raw_parts(program.0 as *const u8, program.1 - program.0))
    };
    kernel.take_machine(&machine, end, writers);
    program::start(&mut kernel, elf, arguments, word("vdso") != Some("off"));
    if let Some(ms) = write {
        WRITE_TICKS.store(ms * machine.counter_hz / 1000, Ordering::Relaxed);
    }
    ROOT.store(kernel.space.root(), Ordering::Release);
    for index in 1..machine.cpu_count {
        machine::start_cpu(machine.cpus[index], _start as *const () as usize);
    }
    drop(kernel);
    run(0)
}

/// Goes on with each other CPU, which waits here until the first has made everything ready.
#[no_mangle]
extern "C" fn boot_next(cpu: usize) -> ! {
    let index = {
        let kernel = Kernel::lock();
        kernel.cpus[..kernel.cpu_count].iter().position(|other| *other == cpu).expect("the machine knows this CPU")
    };
    run(index)
}

fn run(index: usize) -> ! {
    let mut cpu = Cpu::new(index, ROOT.load(Ordering::Acquire));
    let (user_cpus, counter_hz) = {
        let kernel = Kernel::lock();
        (kernel.user_cpus, kernel.counter_hz)
    };
    if index < user_cpus {
        cpu.run_threads();
    }
    torture::run(counter_hz, WRITE_TICKS.load(Ordering::Relaxed));
    cpu.report();
    loop {
        machine::wait_for_interrupt();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    println!("kernel: {info}");
    machine::shut_down(true)
}
