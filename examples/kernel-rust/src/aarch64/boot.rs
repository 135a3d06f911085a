// SPDX-License-Identifier: MIT
//! The first instructions of each CPU, in EL1 without translation, where exclusive accesses need not work: so translation
//! comes before all Rust. QEMU starts the first CPU here, and PSCI the others.

use super::paging::{ACCESSED, CACHED, KERNEL_NO_EXECUTE, USER_NO_EXECUTE, VALID};
use crate::STACK;
use core::arch::global_asm;

/// MAIR_EL1: 0 is memory of devices (nGnRE), 1 is cached.
const MAIR: usize = 0xff04;
/// TCR_EL1: pages of 4 KiB, tables that are cached and inner shareable. TTBR0_EL1 translates the lowest 2^48 addresses by
/// four levels, TTBR1_EL1 the highest 2^39 by three; physical addresses have 36 bits.
const TCR: usize = 16 | 1 << 8 | 1 << 10 | 3 << 12 | 25 << 16 | 1 << 24 | 1 << 26 | 3 << 28 | 2 << 30 | 1 << 32;
/// SCTLR_EL1: the bits that are 1, M, C, I, and for programs SA0, DZE, UCT, nTWI, nTWE, UCI.
const SCTLR: usize = 0x30d0_0800 | 1 | 1 << 2 | 1 << 4 | 1 << 12 | 1 << 14 | 1 << 15 | 1 << 16 | 1 << 18 | 1 << 26;
/// CPACR_EL1: programs have the floating-point registers, and the kernel may store them.
const FPEN: usize = 3 << 20;

/// User mode may use neither.
const MEMORY: usize = 0x4000_0000 | VALID | ACCESSED | USER_NO_EXECUTE | CACHED;
const DEVICES: usize = VALID | ACCESSED | USER_NO_EXECUTE | KERNEL_NO_EXECUTE;

global_asm!(
    r#"
    .section .text.entry, "ax"
    .global _start
_start:
    ldr x9, ={MAIR}
    msr mair_el1, x9
    ldr x9, ={TCR}
    msr tcr_el1, x9
    adrp x9, BOOT_ROOT
    msr ttbr0_el1, x9
    adrp x9, DEVICE_ROOT
    msr ttbr1_el1, x9
    ldr x9, ={FPEN}
    msr cpacr_el1, x9
    tlbi vmalle1
    ic iallu
    dsb nsh
    isb
    ldr x9, ={SCTLR}
    msr sctlr_el1, x9
    isb
    mrs x0, mpidr_el1
    and x0, x0, #0xff
    ldr x9, =STACKS
    add x10, x0, #1
    add x9, x9, x10, lsl #{STACK_SHIFT}
    mov sp, x9
    mov x1, #0
    cbz x0, 1f
    bl boot_next
1:  bl boot
    .ltorg

    .data
    .balign 4096
BOOT_ROOT:
    .quad LEVEL1 + 3
    .fill 511, 8
    .global LEVEL1
LEVEL1:
    .quad 0, {MEMORY}
    .fill 510, 8
DEVICE_ROOT:
    .quad {DEVICES}
    .fill 511, 8
"#,
    MAIR = const MAIR, TCR = const TCR, SCTLR = const SCTLR, FPEN = const FPEN, MEMORY = const MEMORY,
    DEVICES = const DEVICES, STACK_SHIFT = const STACK.ilog2()
);
