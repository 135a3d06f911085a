/* SPDX-License-Identifier: MIT */
/* The first instructions of each hart, in S-mode without paging: a0 is the hart's id. */
	.section .text.boot, "ax"

	.globl	_start
_start:				/* the first hart; a1: the device tree */
	lla	tp, harts
	lla	sp, stacks + STACK_SIZE
	tail	kernel_main

	.globl	hart_start
hart_start:			/* the others; a1: the hart's record */
	mv	tp, a1
	ld	sp, 0(tp)
	tail	hart_main
