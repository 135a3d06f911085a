// SPDX-License-Identifier: MIT
//! The registers of a CPU, and the way into user mode and back.

use super::board;
use crate::memory::Space;
use crate::trap::Trap;
use core::arch::{asm, global_asm};

/// The registers of a user thread in the order of Linux's user_pt_regs: x0 to x30, sp, pc, pstate; then tpidr_el0, and a word
/// that is not used.
pub type Registers = [usize; 36];
pub const NO_REGISTERS: Registers = [0; 36];
pub const A0: usize = 0;
/// The register of a system call's number, and that of its result.
pub const NUMBER: usize = 8;
pub const RESULT: usize = A0;
pub const RA: usize = 30;
pub const SP: usize = 31;
pub const PC: usize = 32;
pub const PSTATE: usize = 33;
pub const TP: usize = 34;

/// The pc is behind the instruction of a system call already.
pub const SYSCALL_STEP: usize = 0;
/// The size of that instruction.
pub const SYSCALL_SIZE: usize = 4;

/// fpsr and fpcr, half a word each; then 32 registers of 128 bits.
pub type FpRegisters = [u64; 65];
pub const NO_FP: FpRegisters = [0; 65];

/// The arguments of clone with TLS and with the address of the child's tid: Linux with CONFIG_CLONE_BACKWARDS.
pub const CLONE_TLS: usize = 3;
pub const CLONE_CHILD: usize = 4;

/// e_machine
pub const ELF: usize = 183;

/// mov x8, #139; svc #0
pub const SIGRETURN: [u8; 8] = [0x68, 0x11, 0x80, 0xd2, 0x01, 0, 0, 0xd4];

/// What AT_HWCAP says (arch/arm64/include/uapi/asm/hwcap.h): floating point and Advanced SIMD.
pub fn hwcap() -> usize {
    3
}

/// Programs may read the virtual counter.
const CNTKCTL_EL0VCTEN: usize = 2;

// Of ESR_EL1 (Arm ARM, "ISS encodings")
/// What the vector of interrupts writes there: no instruction makes it.
const INTERRUPT: usize = 0x3f << 26;
/// Of a trapped instruction, without the direction and the register of the program.
const SYSTEM_REGISTER: usize = 0x3f_fc1e;
const CNTVCT_EL0: usize = 3 << 20 | 2 << 17 | 3 << 14 | 14 << 10;
const STATUS: usize = 0x3f;

/// The record of the path into user mode; the assembly below knows its layout.
#[repr(C, align(16))]
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
    static VECTORS: u8;
}

// In user mode SP_EL1 holds the frame, in the kernel a stack.
global_asm!(
    r"
    .arch_extension fp
    .arch_extension simd
    .macro each_callee_saved op
        \op x19, x20, [sp]
        \op x21, x22, [sp, #16]
        \op x23, x24, [sp, #32]
        \op x25, x26, [sp, #48]
        \op x27, x28, [sp, #64]
        \op x29, x30, [sp, #80]
    .endm
    .macro each_but_x0 op
        \op x2, x3, [sp, #16]
        \op x4, x5, [sp, #32]
        \op x6, x7, [sp, #48]
        \op x8, x9, [sp, #64]
        \op x10, x11, [sp, #80]
        \op x12, x13, [sp, #96]
        \op x14, x15, [sp, #112]
        \op x16, x17, [sp, #128]
        \op x18, x19, [sp, #144]
        \op x20, x21, [sp, #160]
        \op x22, x23, [sp, #176]
        \op x24, x25, [sp, #192]
        \op x26, x27, [sp, #208]
        \op x28, x29, [sp, #224]
    .endm
    .macro each_fp op
        .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        \op q\n, [x1], #16
        .endr
    .endm
    .macro of_kernel
        .balign 128
        b kernel_trap
    .endm

    .text
    .global enter_user
enter_user:
    sub sp, sp, #96
    each_callee_saved stp
    mov x1, sp
    str x1, [x0, #288]
    mov sp, x0
    ldp x1, x2, [sp, #8*31]
    ldp x3, x4, [sp, #8*33]
    msr sp_el0, x1
    msr elr_el1, x2
    msr spsr_el1, x3
    msr tpidr_el0, x4
    each_but_x0 ldp
    ldr x30, [sp, #8*30]
    ldp x0, x1, [sp]
    eret

    .balign 2048
    .global VECTORS
VECTORS:
    .rept 8
    of_kernel
    .endr
    .balign 128
    stp x0, x1, [sp]
    b user_trap
    .balign 128
    stp x0, x1, [sp]
    mov x0, #{INTERRUPT}
    msr esr_el1, x0
    b user_trap
    .rept 6
    of_kernel
    .endr

    .balign 128
user_trap:
    each_but_x0 stp
    str x30, [sp, #8*30]
    mrs x1, sp_el0
    mrs x2, elr_el1
    mrs x3, spsr_el1
    mrs x4, tpidr_el0
    stp x1, x2, [sp, #8*31]
    stp x3, x4, [sp, #8*33]
    ldr x1, [sp, #288]
    mov sp, x1
    each_callee_saved ldp
    add sp, sp, #96
    ret

kernel_trap:
    bl trap_in_kernel

    .global save_fp
save_fp:
    mrs x2, fpsr
    mrs x3, fpcr
    stp w2, w3, [x0]
    add x1, x0, #8
    each_fp str
    ret

    .global restore_fp
restore_fp:
    ldp w2, w3, [x0]
    msr fpsr, x2
    msr fpcr, x3
    add x1, x0, #8
    each_fp ldr
    ret
",
    INTERRUPT = const INTERRUPT
);

macro_rules! write {
    ($register:literal, $value:expr) => {
        // SAFETY: the registers that this kernel writes change how it is interrupted, what user mode may do, and where its
        // memory lies: each use says what it relies on.
        unsafe { core::arch::asm!(concat!("msr ", $register, ", {}"), "isb", in(reg) $value) }
    };
}
pub(super) use write;

macro_rules! read {
    ($register:literal) => {{
        let value: usize;
        // SAFETY: reading has no effect. Without `nomem` the read stays in its place.
        unsafe { core::arch::asm!(concat!("mrs {}, ", $register), out(reg) value, options(nostack)) };
        value
    }};
}
pub(super) use read;

/// Sets the CPU up for user mode with this page table, in which the kernel lies at the same addresses.
pub fn set_up_cpu(root: usize) {
    write!("vbar_el1", &raw const VECTORS as usize);
    write!("ttbr0_el1", root);
    flush_translations_here();
    board::accept_interrupts();
}

/// QEMU has no data cache that fetches could not see. Where there is one, a kernel also cleans (dc cvau) what it has written as
/// code.
pub fn flush_translations_here() {
    // SAFETY: makes this CPU see the page table as it is, and the program's code as it was loaded.
    unsafe { asm!("dsb ishst", "tlbi vmalle1", "ic iallu", "dsb nsh", "isb") }
}

/// Waits for an interrupt, and leaves it pending.
pub fn wait_for_interrupt() {
    // SAFETY: wfi only waits.
    unsafe { asm!("dsb sy", "wfi") }
}

/// Takes back what woke this CPU up; the kernel looks at its deadlines anyhow.
pub fn forget_call() {
    board::take_interrupts();
}

/// Lets programs read the counter, or not: then each read is a trap.
pub fn allow_counter(allowed: bool) {
    write!("cntkctl_el1", if allowed { CNTKCTL_EL0VCTEN } else { 0 });
}

pub fn counter() -> u64 {
    // SAFETY: only waits for the instructions before.
    unsafe { asm!("isb") }
    read!("cntvct_el0") as u64
}

/// Reads of the counter that a program on this CPU made where it may not.
pub struct TrapCount(usize);

impl TrapCount {
    pub fn start() -> Self {
        Self(0)
    }

    /// Counts a trap if it was such a read.
    pub fn look(&mut self, trap: Trap, _space: &Space, _registers: &Registers) {
        self.0 += usize::from(matches!(trap, Trap::CounterRead));
    }

    pub fn read(&self) -> usize {
        self.0
    }
}

/// Says what the last trap was; interrupts are taken back. Numbers: EC of ESR_EL1.
pub fn trap(_frame: &Frame) -> Trap {
    let (syndrome, address) = (read!("esr_el1"), read!("far_el1"));
    match syndrome >> 26 & 0x3f {
        0x3f if board::take_interrupts() => Trap::Timer,
        0x3f => Trap::Called,
        0x15 => Trap::SystemCall,
        0x18 if syndrome & SYSTEM_REGISTER == CNTVCT_EL0 => Trap::CounterRead,
        0 | 0x18 => Trap::Illegal,
        // of a translation, of an access flag, of a permission
        0x20 | 0x24 if (4..0x10).contains(&(syndrome & STATUS)) => Trap::Fault(address),
        0x3c => Trap::Breakpoint,
        _ => Trap::Misaligned(address),
    }
}

#[no_mangle]
extern "C" fn trap_in_kernel() -> ! {
    let (cause, value) = (read!("esr_el1"), read!("far_el1"));
    panic!("a trap of the kernel: syndrome {cause:#x}, value {value:#x}, pc {:#x}", read!("elr_el1"));
}
