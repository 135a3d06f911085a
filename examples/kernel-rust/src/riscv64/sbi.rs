// SPDX-License-Identifier: MIT
//! Calls of the firmware (RISC-V Supervisor Binary Interface).

use super::{wait_for_interrupt, Registers};
use crate::memory::Space;
use crate::trap::Trap;
use core::arch::asm;

const LEGACY_PUTCHAR: usize = 1; // OpenSBI before 1.2 has no other console
const TIME: usize = 0x5449_4d45;
const IPI: usize = 0x73_5049;
const HSM: usize = 0x48_534d;
const SRST: usize = 0x5352_5354;
const PMU: usize = 0x50_4d55;

const PMU_CLEAR_AND_START: usize = 1 << 1 | 1 << 2;
const PMU_FIRMWARE_ILLEGAL_INSN: usize = 0xf_0004;

fn call(extension: usize, function: usize, arguments: [usize; 5]) -> Result<usize, isize> {
    let (error, value): (isize, usize);
    // SAFETY: an SBI call changes only a0, a1, and memory that the kernel handed to it.
    unsafe {
        asm!("ecall", inlateout("a0") arguments[0] => error, inlateout("a1") arguments[1] => value,
            in("a2") arguments[2], in("a3") arguments[3], in("a4") arguments[4],
            in("a6") function, in("a7") extension, options(nostack));
    }
    if error == 0 {
        Ok(value)
    } else {
        Err(error)
    }
}

pub fn set_timer(counter: u64) {
    call(TIME, 0, [counter as usize, 0, 0, 0, 0]).expect("SBI TIME");
}

/// Sends a software interrupt to one hart.
pub fn interrupt(hart: usize) {
    call(IPI, 0, [1, hart, 0, 0, 0]).expect("SBI IPI");
}

pub fn start_cpu(hart: usize, entry: usize) {
    call(HSM, 0, [hart, entry, 0, 0, 0]).expect("SBI HSM");
}

pub fn shut_down(failed: bool) -> ! {
    let _ = call(SRST, 0, [0, usize::from(failed), 0, 0, 0]);
    loop {
        wait_for_interrupt();
    }
}

/// A firmware counter of this hart: the illegal instructions that reached machine mode. Here only reads of a forbidden counter
/// are such, and those that a program makes on purpose.
pub struct TrapCount(usize);

impl TrapCount {
    pub fn start() -> Self {
        let counters = call(PMU, 0, [0; 5]).expect("SBI PMU");
        let all = usize::MAX >> (usize::BITS as usize - counters);
        let counter = call(PMU, 2, [0, all, PMU_CLEAR_AND_START, PMU_FIRMWARE_ILLEGAL_INSN, 0]);
        Self(counter.expect("SBI PMU, ILLEGAL_INSN"))
    }

    /// The firmware counts.
    pub fn look(&mut self, _trap: Trap, _space: &Space, _registers: &Registers) {}

    pub fn read(&self) -> usize {
        call(PMU, 5, [self.0, 0, 0, 0, 0]).expect("SBI PMU, a firmware counter")
    }
}

pub fn put(byte: u8) {
    let _ = call(LEGACY_PUTCHAR, 0, [usize::from(byte), 0, 0, 0, 0]);
}
