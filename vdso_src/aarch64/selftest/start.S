/* SPDX-License-Identifier: MIT */
/* Where the kernel enters: argc, argv, environment and auxiliary vector lie at sp. */
#include "numbers.h"

	.text
	.globl	_start
_start:
	mov	x0, sp
	and	x1, x0, #-16
	mov	sp, x1
	bl	selftest
	udf	#0

	.globl	machine_illegal
machine_illegal:
	udf	#0
	ret

	.macro	each_pair instruction
	\instruction	x19, x20, [x9]
	\instruction	x21, x22, [x9, #16]
	\instruction	x23, x24, [x9, #32]
	\instruction	x25, x26, [x9, #48]
	\instruction	x27, x28, [x9, #64]
	\instruction	x29, x30, [x9, #80]
	.endm

	.globl	guard_enter
guard_enter:
	adr	x9, guard_registers
	each_pair stp
	mov	x10, sp
	str	x10, [x9, #96]
	mov	x10, x0
	mov	x0, x1
	blr	x10
	adr	x9, guard_registers
	ldr	x30, [x9, #88]
	mov	x0, #0
	ret

	.globl	guard_leave
guard_leave:
	adr	x9, guard_registers
	each_pair ldp
	ldr	x10, [x9, #96]
	mov	sp, x10
	mov	x0, #1
	ret

	.globl	machine_thread
machine_thread:		/* clone takes the first five arguments in the same registers */
	stp	x5, x6, [x1, #-16]!
	mov	x9, x1
	mov	x8, #VDSO_NR_CLONE
	svc	#0
	cbnz	x0, 1f
	mov	x10, sp
	cmp	x10, x9
	b.eq	2f
1:	ret			/* with 0 on the old stack: the kernel did nothing */
2:	ldp	x10, x0, [sp]
	blr	x10
	mov	x0, #0
	mov	x8, #VDSO_NR_EXIT
	svc	#0
	udf	#0

	.bss
	.balign	16
guard_registers:
	.skip	13 * 8

	.section .note.GNU-stack, "", @progbits
