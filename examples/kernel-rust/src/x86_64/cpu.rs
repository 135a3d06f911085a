// SPDX-License-Identifier: MIT
//! The registers of a CPU, and the way into user mode and back.

use super::tables::{self, SCRATCH, TRAP_STACK, USER_CODE, USER_DATA};
use super::{apic, paging::physical, tsc};
use crate::memory::Space;
use crate::trap::Trap;
use core::arch::{asm, global_asm};

/// The registers of a user thread: rdi, rsi, rdx, r10, r8, r9, which are the arguments of a system call, and the other general ones;
/// how it came into the kernel, and what the CPU tells of that; then what the CPU itself pushes for a trap: rip, cs, rflags, rsp,
/// ss; and the base of fs.
pub type Registers = [usize; 23];
pub const NO_REGISTERS: Registers = [0; 23];
pub const A0: usize = 0;
/// The register of a system call's number, and that of its result.
pub const NUMBER: usize = 6;
pub const RESULT: usize = NUMBER;
pub const RCX: usize = 7;
pub const R11: usize = 8;
pub const RBX: usize = 9;
pub const RBP: usize = 10;
pub const R12: usize = 11;
pub const R13: usize = 12;
pub const R14: usize = 13;
pub const R15: usize = 14;
pub const VECTOR: usize = 15;
pub const ERROR: usize = 16;
pub const PC: usize = 17;
pub const CS: usize = 18;
pub const FLAGS: usize = 19;
pub const SP: usize = 20;
pub const SS: usize = 21;
pub const TP: usize = 22;

/// The pc is behind the instruction of a system call already.
pub const SYSCALL_STEP: usize = 0;
/// The size of that instruction.
pub const SYSCALL_SIZE: usize = 2;

/// What fxsave64 stores.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
pub struct FpRegisters(pub [u64; 64]);

/// Those of a new program: with fcw and mxcsr, by which errors of arithmetic are no exceptions.
pub const NO_FP: FpRegisters = {
    let mut words = [0; 64];
    words[0] = 0x37f;
    words[3] = 0x1f80;
    FpRegisters(words)
};

/// The arguments of clone with TLS and with the address of the child's tid: Linux without CONFIG_CLONE_BACKWARDS.
pub const CLONE_TLS: usize = 4;
pub const CLONE_CHILD: usize = 3;

/// e_machine
pub const ELF: usize = 62;

/// mov $15, %eax; syscall
pub const SIGRETURN: [u8; 7] = [0xb8, 15, 0, 0, 0, 0x0f, 0x05];

/// What AT_HWCAP says: EDX of CPUID 1.
pub fn hwcap() -> usize {
    cpuid(1).d as usize
}

// Vectors: exceptions, and from 32 on interrupts.
pub const BREAKPOINT: usize = 3;
pub const VECTOR_TIMER: usize = 32;
pub const VECTOR_CALL: usize = 33;
pub const VECTOR_SPURIOUS: usize = 47;
pub const VECTORS: usize = 48;
/// What VECTOR has where the thread came by `syscall`.
const SYSTEM_CALL: usize = 256;
/// How far apart the entries of two vectors are.
const ENTRY_SIZE: usize = 16;
/// The vectors for which the CPU pushes an error code, a bit each.
const WITH_ERROR: usize = 1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17 | 1 << 21 | 1 << 29 | 1 << 30;

// The instructions that read the counter
const RDTSC: [u8; 2] = [0x0f, 0x31];
const RDTSCP: [u8; 3] = [0x0f, 0x01, 0xf9];

const STAR: u32 = 0xc000_0081;
const LSTAR: u32 = 0xc000_0082;
const FMASK: u32 = 0xc000_0084;
const FS_BASE: u32 = 0xc000_0100;
const GS_BASE: u32 = 0xc000_0101;

/// What `syscall` clears, since a program may have set it: TF, IF, DF, NT, AC.
const CLEARED: usize = 1 << 8 | IF | 1 << 10 | 1 << 14 | 1 << 18;
const IF: usize = 1 << 9;
/// Of rflags, besides IF: bit 1, which is 1.
const ALWAYS: usize = 1 << 1;
/// CR4: programs may not read the counter.
const TSD: usize = 1 << 2;

/// The half of all addresses that a program has ends here.
const LOWER_HALF: usize = 1 << 47;
/// An address that no program has, and that faults where it is used: not already where it is loaded.
const NOWHERE: usize = LOWER_HALF - 4096;

/// The record of the path into user mode; the assembly below knows its layout. The CPU pushes into it, to what is aligned.
#[repr(C, align(16))]
pub struct Frame {
    pub registers: Registers,
    kernel_sp: usize,
}

/// Behind what is pushed.
const PUSHED_END: usize = 8 * (SS + 1);
const KERNEL_SP: usize = core::mem::offset_of!(Frame, kernel_sp);
const _: () = assert!(PUSHED_END % 16 == 0);

impl Frame {
    pub const fn new() -> Self {
        Self { registers: NO_REGISTERS, kernel_sp: 0 }
    }
}

extern "C" {
    fn enter(frame: &mut Frame);
    fn syscall_entry();
    static vectors: u8;
}

// In the kernel gs begins at this CPU's task, whose stack for traps is the end of what is pushed into the frame. So a trap and
// `syscall` fill the frame from its end, and go on with the stack of the kernel. The kernel takes interrupts in
// `wait_for_interrupt` alone, and goes on behind that without them: the local APIC still knows which it was.
global_asm!(
    r"
    .macro each_register instruction, order:vararg
    .irp name, \order
    \instruction %\name
    .endr
    .endm
    .macro push_registers
    each_register pushq, r15, r14, r13, r12, rbp, rbx, r11, rcx, rax, r9, r8, r10, rdx, rsi, rdi
    .endm
    .macro pop_registers
    each_register popq, rdi, rsi, rdx, r10, r8, r9, rax, rcx, r11, rbx, rbp, r12, r13, r14, r15
    .endm

    .text
    .global enter
enter:
    each_register pushq, rbx, rbp, r12, r13, r14, r15
    movq %rsp, {KERNEL_SP}(%rdi)
    leaq {PUSHED_END}(%rdi), %rax
    movq %rax, %gs:{TRAP_STACK}
    movq %rdi, %rsp
    cmpq ${SYSTEM_CALL}, 8*{VECTOR}(%rsp)
    pop_registers
    je 1f
    addq $16, %rsp
    swapgs
    iretq
    /* after `syscall`, rcx and r11 are nobody's */
1:  movq 16(%rsp), %rcx
    movq 32(%rsp), %r11
    movq 40(%rsp), %rsp
    swapgs
    sysretq

    .global vectors
    .balign {ENTRY_SIZE}
vectors:
    .set vector, 0
    .rept {VECTORS}
    .balign {ENTRY_SIZE}
    .if !({WITH_ERROR} >> vector & 1)
    pushq $0
    .endif
    pushq $vector
    jmp trapped
    .set vector, vector + 1
    .endr

trapped:
    testb $3, 24(%rsp)
    jz from_kernel
    swapgs
to_kernel:
    push_registers
    movq {KERNEL_SP}(%rsp), %rsp
    cld
    each_register popq, r15, r14, r13, r12, rbp, rbx
    retq

from_kernel:
    cmpq ${VECTOR_TIMER}, (%rsp)
    jb 1f
    addq $16, %rsp
    btrq ${IF_BIT}, 16(%rsp)
    iretq
1:  movq (%rsp), %rdi
    movq 8(%rsp), %rsi
    movq 16(%rsp), %rdx
    andq $-16, %rsp
    cld
    callq trap_in_kernel

    /* rcx has the pc, r11 the flags */
    .global syscall_entry
syscall_entry:
    swapgs
    movq %rsp, %gs:{SCRATCH}
    movq %gs:{TRAP_STACK}, %rsp
    pushq ${USER_DATA}
    pushq %gs:{SCRATCH}
    pushq %r11
    pushq ${USER_CODE}
    pushq %rcx
    pushq $0
    pushq ${SYSTEM_CALL}
    jmp to_kernel
",
    KERNEL_SP = const KERNEL_SP, PUSHED_END = const PUSHED_END, TRAP_STACK = const TRAP_STACK, SCRATCH = const SCRATCH,
    SYSTEM_CALL = const SYSTEM_CALL, VECTOR = const VECTOR, VECTORS = const VECTORS, ENTRY_SIZE = const ENTRY_SIZE,
    WITH_ERROR = const WITH_ERROR, VECTOR_TIMER = const VECTOR_TIMER, IF_BIT = const IF.ilog2(),
    USER_DATA = const USER_DATA, USER_CODE = const USER_CODE,
    options(att_syntax)
);

macro_rules! read {
    ($register:literal) => {{
        let value: usize;
        // SAFETY: reading has no effect. Without `nomem` the read stays in its place.
        unsafe { asm!(concat!("mov {}, ", $register), out(reg) value, options(nostack, preserves_flags)) };
        value
    }};
}

macro_rules! write {
    ($register:literal, $value:expr) => {
        // SAFETY: the registers that this kernel writes change where the program's memory lies, and what user mode may do.
        unsafe { asm!(concat!("mov ", $register, ", {}"), in(reg) $value, options(nostack, preserves_flags)) }
    };
}

/// Reads a model-specific register, one that the CPU has.
pub fn read_msr(number: u32) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reading has no effect.
    unsafe { asm!("rdmsr", in("ecx") number, out("eax") low, out("edx") high, options(nostack, preserves_flags)) }
    u64::from(high) << 32 | u64::from(low)
}

pub fn write_msr(number: u32, value: u64) {
    // SAFETY: the registers that this kernel writes change how it is entered, what belongs to a thread, and how reads of the
    // counter are ordered.
    unsafe {
        asm!("wrmsr", in("ecx") number, in("eax") value as u32, in("edx") (value >> 32) as u32,
            options(nostack, preserves_flags));
    }
}

/// What CPUID answers, in eax to edx.
pub struct Cpuid {
    pub a: u32,
    pub b: u32,
    pub c: u32,
    pub d: u32,
}

pub fn cpuid(leaf: u32) -> Cpuid {
    let (a, b, c, d): (u32, u64, u32, u32);
    // SAFETY: reading has no effect. The compiler has ebx for itself.
    unsafe {
        asm!("mov {b}, rbx", "cpuid", "xchg {b}, rbx", b = out(reg) b, inout("eax") leaf => a, inout("ecx") 0 => c,
            out("edx") d, options(nomem, nostack, preserves_flags));
    }
    Cpuid { a, b: b as u32, c, d }
}

/// Returns the number of this CPU, which is that of its local APIC.
fn number() -> usize {
    (cpuid(1).b >> 24) as usize
}

/// Sets the CPU up for user mode with this page table, in which the kernel lies at the same addresses.
pub fn set_up_cpu(root: usize) {
    // SAFETY: the code of the vectors is the assembly above.
    let task = unsafe { tables::start(number(), &raw const vectors as usize, ENTRY_SIZE) };
    write_msr(GS_BASE, task as u64);
    write_msr(STAR, (tables::KERNEL_DATA << 48 | tables::KERNEL_CODE << 32) as u64);
    write_msr(LSTAR, syscall_entry as *const () as u64);
    write_msr(FMASK, CLEARED as u64);
    write!("cr3", physical(root));
    apic::start();
    tsc::look_here();
}

/// Forgets all translations; fetches see what was written as code by themselves.
pub fn flush_translations_here() {
    let root = read!("cr3");
    write!("cr3", root);
}

/// Returns an address that the CPU can load. Of one that is neither in the lower nor in the upper half of all addresses the fault
/// would come in the kernel.
fn loadable(address: usize) -> usize {
    if address.wrapping_add(LOWER_HALF) >> 48 != 0 {
        NOWHERE
    } else {
        address
    }
}

/// Goes on in user mode with these registers, and returns at the next trap.
///
/// # Safety
/// The frame holds a user thread's registers.
pub unsafe fn enter_user(frame: &mut Frame) {
    let registers = &mut frame.registers;
    registers[PC] = loadable(registers[PC]);
    registers[CS] = USER_CODE;
    registers[FLAGS] |= IF | ALWAYS;
    registers[SS] = USER_DATA;
    write_msr(FS_BASE, loadable(registers[TP]) as u64);
    enter(frame);
}

/// Stores the floating-point and vector registers, and changes none.
///
/// # Safety
/// They are those of the thread whose record this is.
pub unsafe fn save_fp(registers: &mut FpRegisters) {
    asm!("fxsave64 [{}]", in(reg) registers, options(nostack, preserves_flags));
}

/// Loads them. The kernel itself does not use them: its target is one without.
///
/// # Safety
/// fxsave64 has stored them, or a program has, but for bits of mxcsr that there are not.
pub unsafe fn restore_fp(registers: &FpRegisters) {
    asm!("fxrstor64 [{}]", in(reg) registers, options(nostack, preserves_flags));
}

/// Waits for an interrupt, and leaves it in service.
pub fn wait_for_interrupt() {
    // SAFETY: interrupts come behind `sti` and its next instruction, and are off again then.
    unsafe { asm!("sti", "hlt") }
}

/// Takes back what woke this CPU up; the kernel looks at its deadlines anyhow.
pub fn forget_call() {
    apic::take_interrupt();
}

/// Lets programs read the counter, or not: then each read is a trap.
pub fn allow_counter(allowed: bool) {
    let cr4 = read!("cr4");
    write!("cr4", if allowed { cr4 & !TSD } else { cr4 | TSD });
}

pub fn counter() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reads the counter. Without `nomem` the read stays in its place between the writes to the data page.
    unsafe {
        asm!("lfence", "rdtsc", "lfence", out("eax") low, out("edx") high, options(nostack, preserves_flags));
    }
    u64::from(high) << 32 | u64::from(low)
}

/// Tells whether the code there is an instruction that reads the counter.
fn reads_counter(space: &Space, pc: usize) -> bool {
    let is_there = |code: &[u8], read: &mut [u8]| space.read(pc, read).is_ok() && read == code;
    is_there(&RDTSC, &mut [0; RDTSC.len()]) || is_there(&RDTSCP, &mut [0; RDTSCP.len()])
}

/// Reads of the counter that a program on this CPU made where it may not.
pub struct TrapCount(usize);

impl TrapCount {
    pub fn start() -> Self {
        Self(0)
    }

    /// Counts a trap if it was such a read.
    pub fn look(&mut self, trap: Trap, space: &Space, registers: &Registers) {
        self.0 += usize::from(matches!(trap, Trap::Forbidden) && reads_counter(space, registers[PC]));
    }

    pub fn read(&self) -> usize {
        self.0
    }
}

/// Says what the last trap was; an interrupt is taken back. Numbers: Intel SDM, Volume 3, table 6-1.
pub fn trap(frame: &Frame) -> Trap {
    match frame.registers[VECTOR] {
        SYSTEM_CALL => Trap::SystemCall,
        VECTOR_TIMER.. if apic::take_interrupt() => Trap::Timer,
        VECTOR_TIMER.. => Trap::Called,
        0 | 16 | 19 => Trap::Arithmetic,
        1 | BREAKPOINT => Trap::Breakpoint,
        6 => Trap::Illegal,
        13 => Trap::Forbidden,
        14 => Trap::Fault(read!("cr2")),
        _ => Trap::Misaligned(0),
    }
}

#[no_mangle]
extern "C" fn trap_in_kernel(vector: usize, error: usize, pc: usize) -> ! {
    panic!("a trap of the kernel: vector {vector}, error {error:#x}, pc {pc:#x}, address {:#x}", read!("cr2"));
}
