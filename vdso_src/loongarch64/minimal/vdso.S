/* SPDX-License-Identifier: MIT
 * Every export a plain system call: what libc would do without a vDSO, and a base whose functions wait to be replaced. */
#include "numbers.h"

	.text

/* Unwinders look up the address before the one that a signal handler returns to: a nop, in no FDE, stands there. */
	nop
	.globl	__vdso_rt_sigreturn
	.type	__vdso_rt_sigreturn, @function
__vdso_rt_sigreturn:
	.cfi_startproc
	.cfi_signal_frame
	ori	$a7, $zero, VDSO_NR_RT_SIGRETURN
	syscall	0
	.cfi_endproc
	.size	__vdso_rt_sigreturn, . - __vdso_rt_sigreturn

.macro system_call name, number
	.globl	__vdso_\name
	.type	__vdso_\name, @function
__vdso_\name:
	.cfi_startproc
	ori	$a7, $zero, \number
	syscall	0
	jr	$ra
	.cfi_endproc
	.size	__vdso_\name, . - __vdso_\name
.endm

	system_call clock_gettime, VDSO_NR_CLOCK_GETTIME
	system_call gettimeofday, VDSO_NR_GETTIMEOFDAY
	system_call clock_getres, VDSO_NR_CLOCK_GETRES
	system_call getcpu, VDSO_NR_GETCPU
