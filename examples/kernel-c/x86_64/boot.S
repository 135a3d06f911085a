/* SPDX-License-Identifier: MIT */
/*
 * The first instructions of each CPU, at physical addresses. QEMU finds where the first one enters in a note of Xen's (PVH),
 * and enters with 32 bits and without paging. The others are sent to a copy of the trampoline, with 16 bits.
 */
#include "layout.h"

#define CPU_STACK 0

#define CR0 0x80010033		/* paging, write protection, x87 errors as exceptions, no emulation of it, protected mode */
#define CR4 0x620		/* addresses of 64 bits, fxsave, SSE's errors as exceptions */
#define EFER 0xc0000080
#define EFER_BITS 0x901		/* syscall, long mode, pages without execution */
#define GS_BASE 0xc0000101
#define CODE32 0x18

	.section .note.pvh, "a", @note
	.balign	4
	.long	4, 8, 18	/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.quad	_start

	.section .text.boot, "ax"
	.code32
	.globl	_start
_start:				/* ebx: what PVH tells of the machine */
	lgdt	boot_gdtr
enter_long:			/* ebx: 0 on all CPUs but the first */
	movl	$KERNEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	$CR4, %eax
	movl	%eax, %cr4
	movl	$(boot_root - KERNEL_BASE), %eax
	movl	%eax, %cr3
	movl	$EFER, %ecx
	movl	$EFER_BITS, %eax
	xorl	%edx, %edx
	wrmsr
	movl	$CR0, %eax
	movl	%eax, %cr0
	ljmp	$KERNEL_CODE, $1f
	.code64
1:	movabs	$high, %rax
	jmp	*%rax

	.balign	8
boot_gdt:
	.quad	0
	.quad	0x00af9a000000ffff	/* KERNEL_CODE */
	.quad	0x00cf92000000ffff	/* KERNEL_DATA */
	.quad	0x00cf9a000000ffff	/* CODE32 */
boot_gdtr:
	.word	4 * 8 - 1
	.long	boot_gdt

	.text
high:	xorl	%eax, %eax		/* program segments' bases come from MSRs alone */
	movl	%eax, %fs
	movl	%eax, %gs
	movq	$cpus, %rdi
	movq	$stacks + STACK_SIZE, %rsp
	testl	%ebx, %ebx
	jnz	1f
	movq	cpu_starting, %rdi
	movq	CPU_STACK(%rdi), %rsp
1:	movl	$GS_BASE, %ecx
	movq	%rdi, %rax
	movq	%rdi, %rdx
	shrq	$32, %rdx
	wrmsr
	testl	%ebx, %ebx
	jnz	2f
	movq	$0, cpu_starting	/* the next one may be started */
	call	cpu_main
2:	movl	%ebx, %esi
	movl	$1, %eax
	cpuid
	movl	%ebx, %edi
	shrl	$24, %edi		/* the number of the CPU's local APIC */
	call	kernel_main

	.section .rodata
	.globl	trampoline, trampoline_end
	.code16
trampoline:
	cli
	lgdtl	%cs:(trampoline_gdtr - trampoline)
	xorl	%ebx, %ebx
	movl	%cr0, %eax
	orl	$1, %eax
	movl	%eax, %cr0
	ljmpl	$CODE32, $enter_long
trampoline_gdtr:
	.word	4 * 8 - 1
	.long	boot_gdt
trampoline_end:
	.code64

	/*
	 * Translation by pages of 2 MiB: the first GiB where it is, for this file, and at KERNEL_BASE; and devices, not cached, in
	 * the last GiB. User mode may use none.
	 */
	.data
	.balign	4096
	.globl	boot_root
boot_root:
	.quad	low - KERNEL_BASE + 3
	.fill	510, 8, 0
	.quad	upper - KERNEL_BASE + 3
low:
	.quad	memory - KERNEL_BASE + 3
	.fill	511, 8, 0
upper:
	.fill	510, 8, 0
	.quad	memory - KERNEL_BASE + 3
	.quad	devices - KERNEL_BASE + 3
memory:
	.set	at, 0
	.rept	512
	.quad	at + 0x83
	.set	at, at + 0x200000
	.endr
devices:
	.set	at, 0xc0000000
	.rept	512
	.quad	at + 0x93 + (1 << 63)
	.set	at, at + 0x200000
	.endr

	.section .note.GNU-stack, "", @progbits
