/* SPDX-License-Identifier: MIT */
/* The kernel enters at _start: argc, argv, environment and auxiliary vector lie at sp. */
#include "numbers.h"

	.text
	.globl	_start
_start:
	mv	a0, sp
	andi	sp, sp, -16
	call	selftest
	unimp

	.globl	machine_illegal
machine_illegal:
	unimp
	ret

	.macro	each_register instruction
	\instruction	ra, 0(t0)
	\instruction	sp, 8(t0)
	\instruction	s0, 16(t0)
	\instruction	s1, 24(t0)
	\instruction	s2, 32(t0)
	\instruction	s3, 40(t0)
	\instruction	s4, 48(t0)
	\instruction	s5, 56(t0)
	\instruction	s6, 64(t0)
	\instruction	s7, 72(t0)
	\instruction	s8, 80(t0)
	\instruction	s9, 88(t0)
	\instruction	s10, 96(t0)
	\instruction	s11, 104(t0)
	.endm

	.globl	guard_enter
guard_enter:
	la	t0, guard_registers
	each_register sd
	mv	t1, a0
	mv	a0, a1
	jalr	t1
	la	t0, guard_registers
	ld	ra, 0(t0)
	li	a0, 0
	ret

	.globl	guard_leave
guard_leave:
	la	t0, guard_registers
	each_register ld
	li	a0, 1
	ret

	.globl	machine_thread
machine_thread:		/* clone takes the first five arguments in the same registers */
	addi	a1, a1, -16
	sd	a5, 0(a1)
	sd	a6, 8(a1)
	mv	t1, a1
	li	a7, VDSO_NR_CLONE
	ecall
	bnez	a0, 1f
	beq	sp, t1, 2f
1:	ret			/* with 0 on the old stack: the kernel did nothing */
2:	ld	t0, 0(sp)
	ld	a0, 8(sp)
	jalr	t0
	li	a0, 0
	li	a7, VDSO_NR_EXIT
	ecall
	unimp

	.bss
	.balign	8
guard_registers:
	.skip	14 * 8

	.section .note.GNU-stack, "", @progbits
