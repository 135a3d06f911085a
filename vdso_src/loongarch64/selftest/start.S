/* SPDX-License-Identifier: MIT */
/* Where the kernel enters: argc, argv, environment and auxiliary vector lie at $sp. */
#include "numbers.h"

	.text
	.globl	_start
_start:
	move	$a0, $sp
	bstrins.d $sp, $zero, 3, 0
	bl	selftest
	break	0

/* An atomic instruction whose result is its address too: LoongArch Reference Manual, Volume 1, 2.2.7.1. */
	.globl	machine_illegal
machine_illegal:
	.word	0x38600021	/* amswap.w $ra, $zero, $ra */
	jr	$ra

	.macro	each_register instruction
	\instruction	$ra, $t0, 0
	\instruction	$sp, $t0, 8
	\instruction	$fp, $t0, 16
	\instruction	$s0, $t0, 24
	\instruction	$s1, $t0, 32
	\instruction	$s2, $t0, 40
	\instruction	$s3, $t0, 48
	\instruction	$s4, $t0, 56
	\instruction	$s5, $t0, 64
	\instruction	$s6, $t0, 72
	\instruction	$s7, $t0, 80
	\instruction	$s8, $t0, 88
	.endm

	.globl	guard_enter
guard_enter:
	la.pcrel $t0, guard_registers
	each_register st.d
	move	$t1, $a0
	move	$a0, $a1
	jirl	$ra, $t1, 0
	la.pcrel $t0, guard_registers
	ld.d	$ra, $t0, 0
	move	$a0, $zero
	jr	$ra

	.globl	guard_leave
guard_leave:
	la.pcrel $t0, guard_registers
	each_register ld.d
	ori	$a0, $zero, 1
	jr	$ra

	.globl	machine_thread
machine_thread:		/* the first three arguments lie where clone takes them; it wants child_id before tls */
	addi.d	$a1, $a1, -16
	st.d	$a5, $a1, 0
	st.d	$a6, $a1, 8
	move	$a5, $a3
	move	$a3, $a4
	move	$a4, $a5
	ori	$a7, $zero, VDSO_NR_CLONE
	syscall	0
	bnez	$a0, 1f
	beq	$sp, $a1, 2f
1:	jr	$ra			/* with 0 on the old stack: the kernel did nothing */
2:	ld.d	$t0, $sp, 0
	ld.d	$a0, $sp, 8
	jirl	$ra, $t0, 0
	move	$a0, $zero
	ori	$a7, $zero, VDSO_NR_EXIT
	syscall	0
	break	0

	.bss
	.balign	8
guard_registers:
	.skip	12 * 8

	.section .note.GNU-stack, "", @progbits
