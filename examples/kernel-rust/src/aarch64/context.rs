// SPDX-License-Identifier: MIT
//! What a signal's frame holds of the interrupted code (arch/arm64/include/uapi/asm/sigcontext.h).

use super::{FpRegisters, Registers, NO_FP, PSTATE};

/// In words: the address of a fault; x0 to x30, sp, pc, pstate; 4096 bytes of parts, each with a header, and an empty header.
const GENERAL: usize = 1;
const FPSIMD: usize = 36;
pub const CONTEXT_WORDS: usize = FPSIMD + 512;

/// struct fpsimd_context: magic and size, fpsr and fpcr, then 32 registers of 128 bits.
const FPSIMD_MAGIC: usize = 0x4650_8001;
const FPSIMD_WORDS: usize = NO_FP.len() + 1;
/// All of pstate that a program may set.
const FLAGS: usize = 0xf000_0000;

/// struct sigaction of the system call: handler, flags, restorer, mask.
pub const ACTION_WORDS: usize = 4;
/// The flag that says that a handler returns to the restorer.
pub const SA_RESTORER: usize = 0x0400_0000;

pub fn store_context(words: &mut [usize], registers: &Registers, fp: &FpRegisters) {
    words[GENERAL..=GENERAL + PSTATE].copy_from_slice(&registers[..=PSTATE]);
    words[FPSIMD] = FPSIMD_MAGIC | (FPSIMD_WORDS * 8) << 32;
    for (word, register) in words[FPSIMD + 1..FPSIMD + FPSIMD_WORDS].iter_mut().zip(fp) {
        *word = *register as usize;
    }
}

pub fn load_context(words: &[usize], registers: &mut Registers, fp: &mut FpRegisters) {
    registers[..=PSTATE].copy_from_slice(&words[GENERAL..=GENERAL + PSTATE]);
    registers[PSTATE] &= FLAGS;
    for (register, word) in fp.iter_mut().zip(&words[FPSIMD + 1..FPSIMD + FPSIMD_WORDS]) {
        *register = *word as u64;
    }
}
