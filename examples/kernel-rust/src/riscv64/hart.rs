// SPDX-License-Identifier: MIT
//! The registers of a hart, and the way into user mode and back.

use crate::trap::Trap;
use core::arch::{asm, global_asm};

/// The registers of a user thread in the order of Linux's user_regs_struct: pc, then x1 to x31.
pub type Registers = [usize; 32];
pub const NO_REGISTERS: Registers = [0; 32];
pub const PC: usize = 0;
pub const RA: usize = 1;
pub const SP: usize = 2;
pub const TP: usize = 4;
pub const A0: usize = 10;
/// The register of a system call's number, and that of its result.
pub const NUMBER: usize = 17;
pub const RESULT: usize = A0;

/// From the instruction of a system call, where the pc is, to behind it.
pub const SYSCALL_STEP: usize = 4;
/// The size of that instruction.
pub const SYSCALL_SIZE: usize = 4;

/// f0 to f31, then fcsr.
pub type FpRegisters = [u64; 33];
pub const NO_FP: FpRegisters = [0; 33];

/// The arguments of clone with TLS and with the address of the child's tid.
pub const CLONE_TLS: usize = 3;
pub const CLONE_CHILD: usize = 4;

/// e_machine
pub const ELF: usize = 243;

/// li a7, 139; ecall
pub const SIGRETURN: [u8; 8] = [0x93, 0x08, 0xb0, 0x08, 0x73, 0, 0, 0];

/// The letters of the ISA that AT_HWCAP tells: a, c, d, f, i, m.
pub fn hwcap() -> usize {
    0x112d
}

/// The record of the path into user mode; the assembly below knows its layout.
#[repr(C)]
pub struct Frame {
    pub registers: Registers,
    kernel_sp: usize,
}

impl Frame {
    pub const fn new() -> Self {
        Self { registers: NO_REGISTERS, kernel_sp: 0 }
    }
}

extern "C" {
    /// Goes on in user mode with these registers, and returns at the next trap.
    pub fn enter_user(frame: &mut Frame);
    pub fn save_fp(registers: &mut FpRegisters);
    pub fn restore_fp(registers: &FpRegisters);
}

// While the kernel runs, sstatus.FS is off, so that a kernel instruction that would spoil the program's floating-point
// registers traps. A trap of the kernel itself goes to `kernel_trap`. sstatus.SPP and SPIE stay as set_up_hart left them.
global_asm!(
    r"
    .option push
    .option arch, +d
    .macro each_callee_saved op
        \op ra, 0(sp)
        \op s0, 8(sp)
        \op s1, 16(sp)
        \op s2, 24(sp)
        \op s3, 32(sp)
        \op s4, 40(sp)
        \op s5, 48(sp)
        \op s6, 56(sp)
        \op s7, 64(sp)
        \op s8, 72(sp)
        \op s9, 80(sp)
        \op s10, 88(sp)
        \op s11, 96(sp)
        \op gp, 104(sp)
        \op tp, 112(sp)
    .endm
    .macro each_but_a0 op
        .irp n, 1,2,3,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        \op x\n, 8*\n(a0)
        .endr
    .endm
    .macro each_fp op
        .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        \op f\n, 8*\n(a0)
        .endr
    .endm

    .text
    .global enter_user
enter_user:
    addi sp, sp, -128
    each_callee_saved sd
    sd sp, 256(a0)
    csrw sscratch, a0
    la t0, user_trap
    csrw stvec, t0
    li t0, 0x6000
    csrs sstatus, t0
    ld t0, 0(a0)
    csrw sepc, t0
    each_but_a0 ld
    ld a0, 80(a0)
    sret

    .balign 4
user_trap:
    csrrw a0, sscratch, a0
    each_but_a0 sd
    csrr t0, sscratch
    sd t0, 80(a0)
    csrr t0, sepc
    sd t0, 0(a0)
    li t0, 0x6000
    csrc sstatus, t0
    la t0, kernel_trap
    csrw stvec, t0
    ld sp, 256(a0)
    each_callee_saved ld
    addi sp, sp, 128
    ret

    .balign 4
kernel_trap:
    call trap_in_kernel

    .global save_fp
save_fp:
    li t0, 0x6000
    csrs sstatus, t0
    each_fp fsd
    csrr t1, fcsr
    sd t1, 256(a0)
    csrc sstatus, t0
    ret

    .global restore_fp
restore_fp:
    li t0, 0x6000
    csrs sstatus, t0
    ld t1, 256(a0)
    csrw fcsr, t1
    each_fp fld
    csrc sstatus, t0
    ret
    .option pop
"
);

macro_rules! csr {
    ($instruction:literal, $csr:literal, $value:expr) => {
        // SAFETY: the registers that this kernel writes change how it is interrupted, what user mode may do, and
        // with satp where memory lies: each use says what it relies on.
        unsafe { core::arch::asm!(concat!($instruction, " ", $csr, ", {}"), in(reg) $value) }
    };
}

macro_rules! read_csr {
    ($csr:literal) => {{
        let value: usize;
        // SAFETY: reading has no effect.
        unsafe { core::arch::asm!(concat!("csrr {}, ", $csr), out(reg) value, options(nomem, nostack)) };
        value
    }};
}

const SSTATUS_SPP: usize = 1 << 8;
const SSTATUS_SPIE: usize = 1 << 5;
const SIE_SOFTWARE: usize = 1 << 1;
const SIE_TIMER: usize = 1 << 5;
const COUNTEREN_TM: usize = 1 << 1;

const SV39: usize = 8 << 60;
const INTERRUPT: usize = 1 << 63;

/// Turns the page table on, and interrupts for user mode only.
pub fn set_up_cpu(root: usize) {
    // The kernel lies at the same addresses in this page table.
    csr!("csrw", "satp", SV39 | root >> 12);
    flush_translations_here();
    // sret goes to user mode, where interrupts are on.
    csr!("csrc", "sstatus", SSTATUS_SPP);
    csr!("csrs", "sstatus", SSTATUS_SPIE);
    csr!("csrw", "sie", SIE_SOFTWARE | SIE_TIMER);
}

/// Returns where the kernel finds the device at a physical address of the first gigapage, with a page table and without.
#[cfg(counter_page)]
pub fn device(physical: usize) -> usize {
    if read_csr!("satp") != 0 {
        super::paging::DEVICES + physical
    } else {
        physical
    }
}

pub fn flush_translations_here() {
    // SAFETY: makes this hart see the page table as it is, and the program's code as it was loaded.
    unsafe { asm!("sfence.vma", "fence.i") }
}

/// Waits until an interrupt is pending that `sie` lets through; it is not taken.
pub fn wait_for_interrupt() {
    // SAFETY: wfi only waits.
    unsafe { asm!("wfi") }
}

/// Takes back the call of another hart; one that comes after this is pending again.
pub fn forget_call() {
    csr!("csrc", "sip", SIE_SOFTWARE);
}

/// Lets programs read the counter, or not. Where they may not, the program dies of SIGILL, or the firmware answers each read,
/// silently and slowly.
pub fn allow_counter(allowed: bool) {
    if allowed {
        csr!("csrs", "scounteren", COUNTEREN_TM);
    } else {
        csr!("csrc", "scounteren", COUNTEREN_TM);
    }
}

pub fn counter() -> u64 {
    let counter: u64;
    // SAFETY: reads the counter. Without `nomem` the read stays in its place between the writes to the data page.
    unsafe { asm!("rdtime {}", out(reg) counter, options(nostack)) }
    counter
}

/// Says what the last trap was; a call of another hart is taken back.
pub fn trap(_frame: &Frame) -> Trap {
    let address = read_csr!("stval");
    match read_csr!("scause") {
        cause if cause == INTERRUPT | 1 => {
            forget_call();
            Trap::Called
        }
        cause if cause == INTERRUPT | 5 => Trap::Timer,
        2 => Trap::Illegal,
        3 => Trap::Breakpoint,
        4 | 6 => Trap::Misaligned(address),
        8 => Trap::SystemCall,
        _ => Trap::Fault(address),
    }
}

#[no_mangle]
extern "C" fn trap_in_kernel() -> ! {
    let (cause, value) = (read_csr!("scause"), read_csr!("stval"));
    panic!("a trap of the kernel: cause {cause:#x}, value {value:#x}, pc {:#x}", read_csr!("sepc"));
}
