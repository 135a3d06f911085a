// SPDX-License-Identifier: MIT
//! The frame of a signal as most machines have it (arch/*/include/uapi/asm/ucontext.h of Linux): struct rt_sigframe in words of
//! 64 bits, of siginfo, then ucontext, whose end is the machine's sigcontext.

use super::{Registers, CONTEXT_WORDS, RA};

pub const INFO: usize = 0;
pub const CONTEXT: usize = 16;
pub const MASK: usize = CONTEXT + 5;
pub const SAVED: usize = CONTEXT + 22;
pub const FRAME: usize = SAVED + CONTEXT_WORDS;

/// Returns the place of a new frame, below what the interrupted code has on its stack.
pub fn frame_below(sp: usize) -> usize {
    sp.wrapping_sub(8 * FRAME) & !15
}

/// Returns the place of the frame from the stack pointer of rt_sigreturn.
pub fn frame_of_return(sp: usize) -> usize {
    sp
}

/// Completes the frame and the registers that a handler starts with: it returns to the address.
pub fn enter_handler(_frame: &mut [usize; FRAME], registers: &mut Registers, returns: usize) {
    registers[RA] = returns;
}
