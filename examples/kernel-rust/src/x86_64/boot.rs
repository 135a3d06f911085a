// SPDX-License-Identifier: MIT
//! The first instructions of each CPU, at physical addresses. QEMU finds where the first one enters in a note of Xen's (PVH), and
//! enters with 32 bits and without paging. The others are sent to a copy of the trampoline, with 16 bits.

use super::paging::{BASE, PAGE};
use super::tables::{KERNEL_CODE, KERNEL_DATA};
use crate::STACK;
use core::arch::global_asm;
use core::sync::atomic::AtomicUsize;

/// The physical address where the others start, in real mode: a page below 1 MiB.
pub const TRAMPOLINE: usize = 0x8000;

/// How many of the others have come from there.
#[no_mangle]
pub static STARTED: AtomicUsize = AtomicUsize::new(0);

/// Paging, write protection, errors of x87 as exceptions, no emulation of it, protected mode.
const CR0: usize = 1 << 31 | 1 << 16 | 1 << 5 | 1 << 4 | 1 << 1 | 1;
/// Addresses of 64 bits, fxsave, errors of SSE as exceptions.
const CR4: usize = 1 << 5 | 1 << 9 | 1 << 10;
const EFER: usize = 0xc000_0080;
/// syscall, long mode, pages without execution
const EFER_BITS: usize = 1 | 1 << 8 | 1 << 11;
const CODE32: usize = 0x18;

extern "C" {
    static trampoline: [u8; 0];
    static trampoline_end: [u8; 0];
}

/// Returns the code of the trampoline.
pub fn trampoline_code() -> &'static [u8] {
    let (start, end) = (&raw const trampoline as *const u8, &raw const trampoline_end as usize);
    // SAFETY: the assembly below, which is constant.
    unsafe { core::slice::from_raw_parts(start, end - start as usize) }
}

// ebx is what PVH tells of the machine, and 0 on all CPUs but the first. The segments that a program has by fs and gs begin where
// registers of their own say it. A CPU's number is that of its local APIC.
global_asm!(
    r#"
    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 8, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .quad _start

    .section .text.entry, "ax"
    .code32
    .global _start
_start:
    lgdt boot_segments
enter_long:
    movl ${KERNEL_DATA}, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl ${CR4}, %eax
    movl %eax, %cr4
    movl $(BOOT_ROOT - {BASE}), %eax
    movl %eax, %cr3
    movl ${EFER}, %ecx
    movl ${EFER_BITS}, %eax
    xorl %edx, %edx
    wrmsr
    movl ${CR0}, %eax
    movl %eax, %cr0
    ljmpl ${KERNEL_CODE}, $enter_high
    .code64
enter_high:
    movabsq $high, %rax
    jmpq *%rax

    .balign 8
boot_descriptors:
    .quad 0
    .quad 0x00af9a000000ffff
    .quad 0x00cf92000000ffff
    .quad 0x00cf9a000000ffff
boot_segments:
    .word 4 * 8 - 1
    .long boot_descriptors

    .text
high:
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movl %ebx, %esi
    movl $1, %eax
    cpuid
    shrl $24, %ebx
    movl %ebx, %edi
    leal 1(%rdi), %esp
    shlq ${STACK_SHIFT}, %rsp
    addq $STACKS, %rsp
    testl %esi, %esi
    jz 1f
    callq boot
1:  lock incq STARTED
    callq boot_next

    .section .rodata
    .global trampoline, trampoline_end
    .code16
trampoline:
    cli
    lgdtl %cs:(trampoline_segments - trampoline)
    xorl %ebx, %ebx
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl ${CODE32}, $enter_long
trampoline_segments:
    .word 4 * 8 - 1
    .long boot_descriptors
trampoline_end:
    .code64

    /* The first GiB where it is, for what is above, and at the kernel's addresses; and the devices. */
    .data
    .balign {PAGE}
    .global BOOT_ROOT
BOOT_ROOT:
    .quad boot_low - {BASE} + 3
    .fill 510, 8, 0
    .quad boot_upper - {BASE} + 3
boot_low:
    .quad MEMORY - {BASE} + 3
    .fill 511, 8, 0
boot_upper:
    .fill 510, 8, 0
    .quad MEMORY - {BASE} + 3
    .quad DEVICE_PAGES - {BASE} + 3
"#,
    BASE = const BASE, PAGE = const PAGE, CR0 = const CR0, CR4 = const CR4, EFER = const EFER, EFER_BITS = const EFER_BITS,
    KERNEL_CODE = const KERNEL_CODE, KERNEL_DATA = const KERNEL_DATA, CODE32 = const CODE32,
    STACK_SHIFT = const STACK.ilog2(),
    options(att_syntax)
);
