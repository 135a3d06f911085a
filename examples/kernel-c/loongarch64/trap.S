/* SPDX-License-Identifier: MIT */
/*
 * Enters and leaves user mode. In user mode SAVE0 holds the thread, in the kernel 0. A trap saves all integer registers in the
 * thread and starts at the top of the CPU's stack: only the kernel's records outlive a trap.
 */
#include "csr.h"

#define THREAD_CPU 256
#define FP_FCC 512
#define FP_FCSR 520
#define CPU_STACK 0
#define LSX (1 << 6)	/* CPUCFG word 2 */

	.text
	.globl	trap_entry
	.balign	4096
trap_entry:
	csrwr	$tp, SAVE0
	beqz	$tp, 1f
	.irp	n, 1,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	st.d	$r\n, $tp, 8*\n
	.endr
	move	$t0, $zero
	csrwr	$t0, SAVE0
	st.d	$t0, $tp, 8*2
	csrrd	$t0, ERA
	st.d	$t0, $tp, 0
	move	$a0, $tp
	ld.d	$tp, $tp, THREAD_CPU
	ld.d	$sp, $tp, CPU_STACK
	b	trap

	/* The kernel takes interrupts in cpu_idle alone, and goes on behind that without them, wherever in there they came. */
1:	csrwr	$tp, SAVE0
	csrrd	$t0, ESTAT
	bstrpick.d $t0, $t0, 21, 16
	bnez	$t0, kernel_trap
	la.pcrel $t0, idle_end
	csrwr	$t0, ERA
	csrwr	$zero, PRMD
	ertn

	.globl	cpu_idle
cpu_idle:
	ori	$t0, $zero, CRMD_PG | CRMD_IE
	csrwr	$t0, CRMD
	idle	0
idle_end:
	ori	$t0, $zero, CRMD_PG
	csrwr	$t0, CRMD
	jr	$ra

	/* Fills the TLB. The CPU runs this at its physical address. Where there is no table, the pages are not valid. */
	.globl	refill_entry
	.balign	4096
refill_entry:
	csrwr	$t0, TLBRSAVE
	csrrd	$t0, PGD
	lddir	$t0, $t0, 3
	beqz	$t0, 2f
	lddir	$t0, $t0, 1
	beqz	$t0, 2f
	ldpte	$t0, 0
	ldpte	$t0, 1
1:	tlbfill
	csrrd	$t0, TLBRSAVE
	ertn
2:	csrrd	$t0, TLBREHI		/* the size of a page, which ldpte sets otherwise */
	bstrins.d $t0, $zero, 5, 0
	ori	$t0, $t0, PAGE_SHIFT
	csrwr	$t0, TLBREHI
	csrwr	$zero, TLBRELO0
	csrwr	$zero, TLBRELO1
	b	1b

	.globl	resume
resume:				/* a0: the thread */
	move	$tp, $a0
	csrwr	$a0, SAVE0
	ld.d	$t0, $tp, 0
	csrwr	$t0, ERA
	ori	$t0, $zero, PRMD_USER
	csrwr	$t0, PRMD
	.irp	n, 1,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	ld.d	$r\n, $tp, 8*\n
	.endr
	ld.d	$tp, $tp, 8*2
	ertn

	.macro	all_fp plain, vector	/* A vector register holds a floating point register in its lower half. */
	ori	$t0, $zero, 2
	cpucfg	$t0, $t0
	andi	$t0, $t0, LSX
	bnez	$t0, 1f
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	\plain	$f\n, $a0, 16*\n
	.endr
	b	2f
1:
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	\vector	$vr\n, $a0, 16*\n
	.endr
2:
	.endm

	.globl	fp_store
fp_store:			/* a0: struct fp */
	all_fp	fst.d, vst
	movfcsr2gr $t0, $fcsr0
	st.d	$t0, $a0, FP_FCSR
	.irp	n, 0,1,2,3,4,5,6,7
	movcf2gr $t0, $fcc\n
	st.b	$t0, $a0, FP_FCC+\n
	.endr
	jr	$ra

	.globl	fp_fetch
fp_fetch:			/* a0: struct fp */
	all_fp	fld.d, vld
	ld.d	$t0, $a0, FP_FCSR
	movgr2fcsr $fcsr0, $t0
	.irp	n, 0,1,2,3,4,5,6,7
	ld.bu	$t0, $a0, FP_FCC+\n
	movgr2cf $fcc\n, $t0
	.endr
	jr	$ra

	/* A signal handler returns here if no vDSO is mapped. */
	.section .rodata
	.globl	sigreturn_page
	.balign	16384
sigreturn_page:
	ori	$a7, $zero, 139
	syscall	0
	.balign	16384
