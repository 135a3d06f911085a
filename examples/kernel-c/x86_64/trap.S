/* SPDX-License-Identifier: MIT */
/*
 * Enters and leaves user mode. In user mode GS_BASE of the kernel is this CPU's record, and the stack that the CPU takes for a trap
 * is the end of the thread's record: so the registers are pushed into it, in the order that cpu.h has. A trap then goes on at the
 * top of the CPU's own stack: only the kernel's records outlive it.
 */
#include "layout.h"

#define CPU_STACK 0
#define CPU_THREAD 16
#define RECORD_END 176		/* behind ss, the last that is pushed */
#define RECORD_CS 144
#define IF_BIT 9

	.macro	all_registers instruction, order:vararg
	.irp	name, \order
	\instruction	%\name
	.endr
	.endm

	.text
	.globl	vectors
	.balign	16
vectors:
	.set	vector, 0
	.rept	VECTORS
	.balign	16
	.if	!(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
	pushq	$0		/* no error code was pushed */
	.endif
	pushq	$vector
	jmp	enter
	.set	vector, vector + 1
	.endr

enter:
	testb	$3, 24(%rsp)	/* cs */
	jz	from_kernel
	swapgs
save:
	all_registers pushq, rdi, rsi, rbp, rbx, rdx, rax, rcx, r8, r9, r10, r11, r12, r13, r14, r15
	movq	%rsp, %rdi
	movq	%gs:CPU_STACK, %rsp
	cld
	call	trap

	/* The kernel takes interrupts in cpu_idle alone, and goes on behind that without them: the local APIC still knows which it was. */
from_kernel:
	cmpq	$VECTOR_TIMER, (%rsp)
	jb	1f
	addq	$16, %rsp
	btrq	$IF_BIT, 16(%rsp)
	iretq
1:	movq	%rsp, %rdi
	call	kernel_trap

	/* rcx has the pc, r11 the flags. The record of the thread is where the stack's pointer is kept for a moment. */
	.globl	syscall_entry
syscall_entry:
	swapgs
	xchgq	%rsp, %gs:CPU_THREAD
	addq	$RECORD_END, %rsp
	pushq	$USER_DATA
	pushq	%gs:CPU_THREAD
	pushq	%r11
	pushq	$USER_CODE
	pushq	%rcx
	pushq	$0
	pushq	$VECTOR_SYSCALL
	subq	$RECORD_END - 7 * 8, %rsp
	movq	%rsp, %gs:CPU_THREAD
	addq	$RECORD_END - 7 * 8, %rsp
	jmp	save

	/* Goes to user mode: by sysret if the thread came by syscall, after which rcx and r11 are nobody's. */
	.globl	leave_kernel
leave_kernel:			/* rdi: the thread; esi: whether it came so */
	movq	%rdi, %rsp
	testl	%esi, %esi
	jnz	1f
	all_registers popq, r15, r14, r13, r12, r11, r10, r9, r8, rcx, rax, rdx, rbx, rbp, rsi, rdi
	addq	$16, %rsp
	swapgs
	iretq
1:	all_registers popq, r15, r14, r13, r12, r11, r10, r9, r8, rcx, rax, rdx, rbx, rbp, rsi, rdi
	movq	16(%rsp), %rcx
	movq	32(%rsp), %r11
	movq	40(%rsp), %rsp
	swapgs
	sysretq

	/* A signal handler returns here if the program has brought nothing for that. */
	.section .rodata
	.globl	sigreturn_page
	.balign	4096
sigreturn_page:
	movl	$15, %eax
	syscall
	.balign	4096

	.section .note.GNU-stack, "", @progbits
