// SPDX-License-Identifier: MIT
//! What a signal's frame holds of the interrupted code (arch/loongarch/include/uapi/asm/sigcontext.h).

use super::{FpRegisters, Registers, NO_FP};

/// In words: pc, the 32 registers from $zero on, a flag; then parts, each with a header of two words, and an empty header.
const GENERAL: usize = 1;
const FLAGS: usize = GENERAL + 32;
const VECTORS: usize = FLAGS + 1;
const LAST: usize = VECTORS + 2 + NO_FP.len();
pub const CONTEXT_WORDS: usize = LAST + 2;

const SC_USED_FP: usize = 1;
/// struct lsx_context: 32 registers of 128 bits, fcc0 to fcc7, fcsr0
const LSX_MAGIC: usize = 0x5358_0001;

/// struct sigaction of the system call: handler, flags, mask.
pub const ACTION_WORDS: usize = 3;
/// There is no restorer: handlers return where the kernel says.
pub const SA_RESTORER: usize = 0;

pub fn store_context(words: &mut [usize], registers: &Registers, fp: &FpRegisters) {
    words[0] = registers[0];
    words[GENERAL + 1..FLAGS].copy_from_slice(&registers[1..]);
    words[FLAGS] = SC_USED_FP;
    words[VECTORS] = LSX_MAGIC | (LAST - VECTORS) * 8 << 32;
    for (word, register) in words[VECTORS + 2..LAST].iter_mut().zip(fp) {
        *word = *register as usize;
    }
}

pub fn load_context(words: &[usize], registers: &mut Registers, fp: &mut FpRegisters) {
    registers[0] = words[0];
    registers[1..].copy_from_slice(&words[GENERAL + 1..FLAGS]);
    for (register, word) in fp.iter_mut().zip(&words[VECTORS + 2..LAST]) {
        *register = *word as u64;
    }
}
