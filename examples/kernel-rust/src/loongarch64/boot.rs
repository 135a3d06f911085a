// SPDX-License-Identifier: MIT
//! The first instructions of each CPU, at physical addresses.

use super::cpu::{CPUID, CRMD, CRMD_PG, DMW0, DMW1};
use crate::STACK;
use core::arch::global_asm;
use core::sync::atomic::AtomicU32;

/// QEMU 7.2 starts all CPUs at once, and those but the first wait for this word. With newer versions they wait for a call.
#[no_mangle]
pub static MAY_START: AtomicU32 = AtomicU32::new(0);

/// How many of them have gone on.
#[no_mangle]
pub static STARTED: AtomicU32 = AtomicU32::new(0);

// The kernel sees memory one to one and cached, and devices at 0x8000000000000000 and uncached. A program sees neither.
global_asm!(
    r#"
    .section .text.entry, "ax"
    .global _start
_start:
    ori $t0, $zero, 0x11
    csrwr $t0, {DMW0}
    ori $t0, $zero, 1
    lu52i.d $t0, $t0, -0x800
    csrwr $t0, {DMW1}
    ori $t0, $zero, {CRMD_PG}
    csrwr $t0, {CRMD}
    csrrd $a0, {CPUID}
    andi $a0, $a0, 0x1ff
    la.pcrel $sp, STACKS
    addi.d $t0, $a0, 1
    slli.d $t0, $t0, {STACK_SHIFT}
    add.d $sp, $sp, $t0
    move $a1, $zero
    beqz $a0, 2f
    la.pcrel $t0, MAY_START
1:  ld.w $t1, $t0, 0
    beqz $t1, 1b
    dbar 0
    la.pcrel $t0, STARTED
    ori $t1, $zero, 1
    amadd.w $zero, $t1, $t0
    bl boot_next
2:  bl boot
"#,
    DMW0 = const DMW0,
    DMW1 = const DMW1,
    CRMD = const CRMD,
    CRMD_PG = const CRMD_PG,
    CPUID = const CPUID,
    STACK_SHIFT = const STACK.ilog2()
);
