/* SPDX-License-Identifier: MIT */
/*
 * Enters and leaves user mode. In user mode sscratch holds the thread, in the kernel 0. A trap saves all integer registers in
 * the thread and starts at the top of the hart's stack: only the kernel's records outlive a trap.
 */
#define THREAD_HART 256
#define FP_FCSR 256
#define HART_STACK 0

	.text
	.globl	trap_entry
	.balign	4
trap_entry:
	csrrw	tp, sscratch, tp
	beqz	tp, 1f
	.irp	n, 1,2,3,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	sd	x\n, 8*\n(tp)
	.endr
	csrrw	t0, sscratch, zero
	sd	t0, 8*4(tp)
	csrr	t0, sepc
	sd	t0, 0(tp)
	mv	a0, tp
	ld	tp, THREAD_HART(tp)
	ld	sp, HART_STACK(tp)
	tail	trap
1:	csrrw	tp, sscratch, zero
	tail	kernel_trap

	.globl	resume
resume:				/* a0: the thread */
	mv	tp, a0
	csrw	sscratch, tp
	ld	t0, 0(tp)
	csrw	sepc, t0
	.irp	n, 1,2,3,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	ld	x\n, 8*\n(tp)
	.endr
	ld	tp, 8*4(tp)
	sret

	.globl	fp_store
fp_store:			/* a0: struct fp */
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	fsd	f\n, 8*\n(a0)
	.endr
	frcsr	t0
	sd	t0, FP_FCSR(a0)
	ret

	.globl	fp_fetch
fp_fetch:			/* a0: struct fp */
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	fld	f\n, 8*\n(a0)
	.endr
	ld	t0, FP_FCSR(a0)
	fscsr	t0
	ret

	/* A signal handler returns here if no vDSO is mapped. */
	.section .rodata
	.globl	sigreturn_page
	.balign	4096
sigreturn_page:
	li	a7, 139
	ecall
	.balign	4096
