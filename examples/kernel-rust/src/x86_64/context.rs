// SPDX-License-Identifier: MIT
//! The frame of a signal as Linux has it here (arch/x86/include/asm/sigframe.h and uapi/asm/sigcontext.h), in words of 64 bits: the
//! address that the handler returns to; ucontext, whose middle is sigcontext and whose end is the mask; siginfo; what fxsave64
//! stores. C libraries know it.

use super::tables::{USER_CODE, USER_DATA};
use super::{FpRegisters, Registers, A0, ERROR, FLAGS, NO_FP, PC, RESULT, SP, VECTOR};
use super::{R11, R12, R13, R14, R15, RBP, RBX, RCX};

pub const CONTEXT: usize = 1;
pub const SAVED: usize = CONTEXT + 5;
pub const MASK: usize = SAVED + 32;
pub const INFO: usize = MASK + 1;
const FP: usize = INFO + 16;
pub const FRAME: usize = FP + NO_FP.0.len();

/// The registers of a program in the order of struct sigcontext: r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags.
const ORDER: [usize; 18] =
    [A0 + 4, A0 + 5, A0 + 3, R11, R12, R13, R14, R15, A0, A0 + 1, RBP, RBX, A0 + 2, RESULT, RCX, SP, PC, FLAGS];
// Behind them: segments, then what the CPU told of the trap, a mask that is not used, and two addresses.
const SEGMENTS: usize = ORDER.len();
const TRAP_ERROR: usize = SEGMENTS + 1;
const TRAP_VECTOR: usize = SEGMENTS + 2;
const FAULT: usize = SEGMENTS + 4;
const FP_ADDRESS: usize = SEGMENTS + 5;

/// uc_flags: the frame has the segment of the stack, and it is to be taken from there.
const HAS_STACK_SEGMENT: usize = 2 | 4;

/// System V ABI, AMD64 supplement, 3.2.2: so many bytes below the stack pointer belong to the interrupted code.
const RED_ZONE: usize = 128;
/// What `ret` takes off the frame.
const RETURN: usize = 8;

const TRAP_FLAG: usize = 1 << 8;
const DIRECTION: usize = 1 << 10;
const RESUME: usize = 1 << 16;
/// All of rflags that a program may set: AC, RF, OF, DF, TF, SF, ZF, AF, PF, CF.
const PROGRAMS: usize = 0x5_0dd5;
/// Bits of mxcsr that there are; fxrstor64 would fault for others.
const MXCSR: u64 = 0xffff;

/// struct sigaction of the system call: handler, flags, restorer, mask.
pub const ACTION_WORDS: usize = 4;
/// The flag that says that a handler returns to the restorer.
pub const SA_RESTORER: usize = 0x0400_0000;

/// Returns the place of a new frame, below what the interrupted code has on its stack: behind the address in it, it is aligned as a
/// function wants its stack.
pub fn frame_below(sp: usize) -> usize {
    (sp.wrapping_sub(RED_ZONE + 8 * FRAME) & !15).wrapping_sub(RETURN)
}

/// Returns the place of the frame from the stack pointer of rt_sigreturn.
pub fn frame_of_return(sp: usize) -> usize {
    sp.wrapping_sub(RETURN)
}

pub fn store_context(words: &mut [usize], registers: &Registers, fp: &FpRegisters) {
    for (word, register) in words.iter_mut().zip(ORDER) {
        *word = registers[register];
    }
    words[SEGMENTS] = USER_CODE | USER_DATA << 48;
    words[TRAP_ERROR] = registers[ERROR];
    words[TRAP_VECTOR] = registers[VECTOR];
    for (word, register) in words[FP - SAVED..].iter_mut().zip(fp.0) {
        *word = register as usize;
    }
}

/// The thread did not come by `syscall`: all its registers are loaded.
pub fn load_context(words: &[usize], registers: &mut Registers, fp: &mut FpRegisters) {
    for (word, register) in words.iter().zip(ORDER) {
        registers[register] = *word;
    }
    registers[FLAGS] &= PROGRAMS;
    registers[VECTOR] = 0;
    for (register, word) in fp.0.iter_mut().zip(&words[FP - SAVED..]) {
        *register = *word as u64;
    }
    fp.0[3] &= MXCSR;
}

/// Completes the frame and the registers that a handler starts with: it returns to the address. It may be declared without its
/// arguments, and then rax tells that none of them is in a vector register.
pub fn enter_handler(frame: &mut [usize; FRAME], registers: &mut Registers, returns: usize) {
    frame[0] = returns;
    frame[CONTEXT] = HAS_STACK_SEGMENT;
    frame[SAVED + FAULT] = frame[INFO + 2];
    frame[SAVED + FP_ADDRESS] = registers[SP].wrapping_add(8 * FP);
    registers[FLAGS] &= !(TRAP_FLAG | DIRECTION | RESUME);
    registers[RESULT] = 0;
}
