/* SPDX-License-Identifier: MIT */
/*
 * The first instructions of each hart, in S-mode without paging: a0 is the hart's id.
 *
 * All harts enter here: the first by the firmware's choice, the others when the first has started them. The others have no
 * entry of their own: OpenSBI 1.1 marks a hart as started before it stores the address, so a hart that looks just then enters
 * here.
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
	lla	tp, cpus
	bnez	t0, 1f
	lla	sp, stacks + STACK_SIZE
	tail	kernel_main		/* a1: the device tree */

1:	ld	t0, HART_ID(tp)		/* the hart's record was made before the hart was started */
	beq	t0, a0, 2f
	li	t0, HART_SIZE
	add	tp, tp, t0
	j	1b
2:	ld	sp, HART_STACK(tp)
	tail	cpu_main

	.data
	.balign	4
booted:	.word	0
