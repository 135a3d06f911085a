/* SPDX-License-Identifier: MIT */
/*
 * Enters and leaves user mode. In user mode SP_EL1 holds the thread, in the kernel a stack. A trap saves all registers of the
 * program in the thread, but for those of floating point, and starts at the top of the CPU's stack: only the kernel's records
 * outlive a trap. cpu.h numbers the registers.
 */
#define THREAD_CPU 288
#define FP_FPSR 512
#define CPU_STACK 0

	.macro	pairs instruction	/* x2 to x29 */
	.irp	n, 2,4,6,8,10,12,14,16,18,20,22,24,26,28
	pair	\instruction, \n, %(\n + 1)
	.endr
	.endm
	.macro	pair instruction, first, second
	\instruction	x\first, x\second, [sp, #8*\first]
	.endm

	.macro	from_user vector
	.balign	128
	stp	x0, x1, [sp]
	mov	x0, #\vector
	b	enter
	.endm
	.macro	from_kernel
	.balign	128
	b	kernel_trap
	.endm

	.altmacro
	.text
	.balign	2048
	.globl	vectors
vectors:
	.rept	8
	from_kernel
	.endr
	from_user 0	/* synchronous; then IRQ, FIQ, SError */
	from_user 1
	from_user 2
	from_user 3
	.rept	4	/* of programs with 32 bits, which there are not */
	from_kernel
	.endr

enter:
	pairs	stp
	str	x30, [sp, #8*30]
	mrs	x1, sp_el0
	mrs	x2, elr_el1
	mrs	x3, spsr_el1
	mrs	x4, tpidr_el0
	stp	x1, x2, [sp, #8*31]
	stp	x3, x4, [sp, #8*33]
	str	x0, [sp, #8*35]
	mov	x0, sp
	ldr	x1, [x0, #THREAD_CPU]
	ldr	x1, [x1, #CPU_STACK]
	mov	sp, x1
	b	trap

	.globl	resume
resume:				/* x0: the thread */
	mov	sp, x0
	ldp	x1, x2, [sp, #8*31]
	ldp	x3, x4, [sp, #8*33]
	msr	sp_el0, x1
	msr	elr_el1, x2
	msr	spsr_el1, x3
	msr	tpidr_el0, x4
	pairs	ldp
	ldr	x30, [sp, #8*30]
	ldp	x0, x1, [sp]
	eret

	.macro	all_fp instruction
	.irp	n, 0,2,4,6,8,10,12,14,16,18,20,22,24,26,28,30
	fp_pair	\instruction, \n, %(\n + 1)
	.endr
	.endm
	.macro	fp_pair instruction, first, second
	\instruction	q\first, q\second, [x0, #16*\first]
	.endm

	.globl	fp_store
fp_store:			/* x0: struct fp */
	all_fp	stp
	mrs	x1, fpsr
	mrs	x2, fpcr
	str	x1, [x0, #FP_FPSR]
	str	x2, [x0, #FP_FPSR + 8]
	ret

	.globl	fp_fetch
fp_fetch:			/* x0: struct fp */
	all_fp	ldp
	ldr	x1, [x0, #FP_FPSR]
	ldr	x2, [x0, #FP_FPSR + 8]
	msr	fpsr, x1
	msr	fpcr, x2
	ret

	/* A signal handler returns here if no vDSO is mapped. */
	.section .rodata
	.globl	sigreturn_page
	.balign	4096
sigreturn_page:
	mov	x8, #139
	svc	#0
	.balign	4096
