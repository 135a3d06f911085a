// SPDX-License-Identifier: MIT
//! The first instructions of each hart.

use crate::STACK;
use core::arch::global_asm;
use core::sync::atomic::AtomicU32;

/// Harts that have taken a stack.
#[no_mangle]
static ARRIVED: AtomicU32 = AtomicU32::new(0);

// The firmware starts any one hart, which is the first. The first starts the others, at the same place: OpenSBI 1.1 marks a
// hart as started before it stores the address, so a hart that looks just then comes here, whatever was asked for.
global_asm!(
    r#"
    .option push
    .option arch, +a
    .section .text.entry, "ax"
    .global _start
_start:
    la t0, ARRIVED
    li t1, 1
    amoadd.w t0, t1, (t0)
    la sp, STACKS
    addi t1, t0, 1
    slli t1, t1, {STACK_SHIFT}
    add sp, sp, t1
    bnez t0, 1f
    tail boot
1:  tail boot_next
    .option pop
"#,
    STACK_SHIFT = const STACK.ilog2()
);
