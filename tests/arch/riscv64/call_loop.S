/* SPDX-License-Identifier: MIT */
/*
 * A bare machine that calls one function of an image again and again, and counts cycles and instructions:
 *
 *	IMAGE, PAGE	files: the image, and its data page, in sections of their names
 *	CLOCK		the first argument
 *	function	a symbol that the linker is given: what is called
 *
 * First WARM calls fill caches and predictors. Then CALLS calls follow each other with nothing between them, and as many
 * of which each waits for what the one before has stored. The counts are those of `simulated.py`, which reads the registers.
 */
	.option	arch, +zicsr
	.globl	_start
	.globl	empty
	.globl	done
	.macro	calls, count, chained
	li	s1, \count
1:	add	a0, s8, t6
	mv	a1, s7
	jalr	s2
	.if	\chained
	ld	t6, 8(s7)
	and	t6, t6, zero
	.endif
	addi	s1, s1, -1
	bnez	s1, 1b
	.endm

_start:
	lla	s7, buffer
	lla	s2, function
	li	s8, CLOCK
	li	t6, 0
	calls	WARM, 0
	calls	WARM, 1
	csrr	s3, mcycle
	csrr	s4, minstret
	calls	CALLS, 0
	csrr	s5, mcycle
	calls	CALLS, 1
	csrr	s6, mcycle
	csrr	s9, minstret
done:	j	done

empty:	ret

	.balign	64
buffer:	.skip	64

	.section .image, "ax"
	.incbin	IMAGE
	.section .page, "aw"
	.incbin	PAGE
