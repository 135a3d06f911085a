/* SPDX-License-Identifier: MIT */
/*
 * The first instructions of each hart, in S-mode without paging: a0 is the hart's id.
 *
 * All harts come in here, the first by the firmware's choice and the others when it has started them. There is no other
 * entry for those: OpenSBI 1.1 marks a hart as started before it stores where, so one that looks just then comes here.
 */
#define HART_STACK 0
#define HART_ID 8
#define HART_SIZE 4160

	.section .text.boot, "ax"
	.globl	_start
_start:
	lla	t0, booted
	li	t1, 1
	amoswap.w.aqrl t0, t1, (t0)
	lla	tp, harts
	bnez	t0, 1f
	lla	sp, stacks + STACK_SIZE
	tail	kernel_main		/* a1: the device tree */

1:	ld	t0, HART_ID(tp)		/* its record was made before it was started */
	beq	t0, a0, 2f
	li	t0, HART_SIZE
	add	tp, tp, t0
	j	1b
2:	ld	sp, HART_STACK(tp)
	tail	hart_main

	.data
	.balign	4
booted:	.word	0
