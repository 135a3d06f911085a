// SPDX-License-Identifier: MIT
//! What a signal's frame holds of the interrupted code (arch/riscv/include/uapi/asm/sigcontext.h).

use super::{FpRegisters, Registers};

/// pc and x1 to x31, then a union of 528 bytes that begins with the floating-point registers and fcsr.
pub const CONTEXT_WORDS: usize = 32 + 528 / 8;

/// struct sigaction of the system call: handler, flags, mask.
pub const ACTION_WORDS: usize = 3;
/// There is no restorer: handlers return where the kernel says.
pub const SA_RESTORER: usize = 0;

pub fn store_context(words: &mut [usize], registers: &Registers, fp: &FpRegisters) {
    words[..32].copy_from_slice(registers);
    for (word, register) in words[32..].iter_mut().zip(fp) {
        *word = *register as usize;
    }
}

pub fn load_context(words: &[usize], registers: &mut Registers, fp: &mut FpRegisters) {
    registers.copy_from_slice(&words[..32]);
    for (register, word) in fp.iter_mut().zip(&words[32..]) {
        *register = *word as u64;
    }
    // fcsr is a word of 32 bits, of which 8 have a meaning.
    fp[32] &= 0xff;
}
