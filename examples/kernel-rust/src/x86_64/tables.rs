// SPDX-License-Identifier: MIT
//! What a CPU itself reads: its segments, its gates for traps, and its task (Intel SDM, Volume 3, 3.4.5, 6.14, 7.7).

use super::cpu::{BREAKPOINT, VECTORS};
use crate::kernel::MAX_CPUS;
use core::arch::asm;

/// Segments: sysret takes the program's data from 8, and its code from 16, behind the one before them.
pub const KERNEL_CODE: usize = 0x08;
pub const KERNEL_DATA: usize = 0x10;
pub const USER_DATA: usize = 0x18 | 3;
pub const USER_CODE: usize = 0x20 | 3;
const TASK: u16 = 0x28;
const SEGMENTS: usize = TASK as usize / 8 + 2;

/// A gate of which interrupts stay off, for the CPU alone; and one that programs may have, by an instruction.
const GATE: usize = 0x8e00;
const USER_GATE: usize = 0xee00;

/// The task: the stack of a trap from user mode, and a word for `syscall` to put the program's stack pointer in: the stack of a
/// privilege level that is not used. There is no list of the ports that a program may use: it would start behind the end.
#[repr(C, packed(4))]
struct Task {
    reserved: u32,
    trap_stack: usize,
    scratch: usize,
    unused: [u32; 20],
    ports: u32,
}
pub const TRAP_STACK: usize = core::mem::offset_of!(Task, trap_stack);
pub const SCRATCH: usize = core::mem::offset_of!(Task, scratch);
const TASK_SIZE: usize = size_of::<Task>();
const _: () = assert!(TASK_SIZE == 104);

/// Each CPU has its own.
#[repr(C, align(16))]
struct Tables {
    gates: [[usize; 2]; VECTORS],
    segments: [usize; SEGMENTS],
    task: Task,
}

impl Tables {
    const fn new() -> Self {
        let task = Task { reserved: 0, trap_stack: 0, scratch: 0, unused: [0; 20], ports: (TASK_SIZE as u32) << 16 };
        Self { gates: [[0; 2]; VECTORS], segments: [0; SEGMENTS], task }
    }
}

static mut TABLES: [Tables; MAX_CPUS] = [const { Tables::new() }; MAX_CPUS];

/// The operand of lgdt and lidt.
#[repr(C, packed(2))]
struct Pointer {
    limit: u16,
    address: usize,
}

impl Pointer {
    fn to<T>(table: &T) -> Self {
        Self { limit: (size_of::<T>() - 1) as u16, address: table as *const T as usize }
    }
}

/// Makes this CPU use its tables. `entries`: where the code of the first vector is, and how far apart two are. Returns the
/// address of its task.
///
/// # Safety
/// It is this CPU's number, and code that takes traps lies there.
pub unsafe fn start(cpu: usize, entries: usize, distance: usize) -> usize {
    let tables = &raw mut TABLES[cpu];
    let tables = &mut *tables;
    let task = &raw const tables.task as usize;
    for (vector, gate) in tables.gates.iter_mut().enumerate() {
        let (entry, kind) = (entries + vector * distance, if vector == BREAKPOINT { USER_GATE } else { GATE });
        *gate = [entry & 0xffff | KERNEL_CODE << 16 | kind << 32 | (entry >> 16 & 0xffff) << 48, entry >> 32];
    }
    let low = (TASK_SIZE - 1) | (task & 0xff_ffff) << 16 | 0x89 << 40 | (task >> 24 & 0xff) << 56;
    tables.segments =
        [0, 0x00af_9b00_0000_ffff, 0x00cf_9300_0000_ffff, 0x00cf_f300_0000_ffff, 0x00af_fb00_0000_ffff, low, task >> 32];
    let (segments, gates) = (Pointer::to(&tables.segments), Pointer::to(&tables.gates));
    asm!("lgdt [{}]", "lidt [{}]", "ltr {:x}", in(reg) &segments, in(reg) &gates, in(reg) TASK, options(nostack));
    task
}
