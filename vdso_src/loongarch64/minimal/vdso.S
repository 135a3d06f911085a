/* SPDX-License-Identifier: MIT
 * A base whose exports all make their plain system call, as a C library does without a vDSO. This command makes base.so of
 * it, in this folder, with clang and lld of Debian 12, and a test makes it again:
 *
 * clang-19 --target=loongarch64-unknown-none -mabi=lp64s -I.. -I../.. -c -o vdso.o vdso.S
 * ld.lld-19 -shared -soname=linux-vdso.so.1 --hash-style=both --build-id=sha1 --eh-frame-hdr --no-relax -s -z max-page-size=4096
 *   -T vdso.lds -o base.so vdso.o
 */
#include "numbers.h"

	.text

/* Unwinders look up the address before the one that a signal handler returns to: this nop, which no FDE covers. */
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

/* By this note scons-vdso knows whose bytes these are (elf/our_note.py): NT_VERSION, with a name and nothing else. */
	.section .note.scons-vdso, "a", @note
	.balign	4
	.long	2f - 1f, 0, 1
1:	.asciz	"scons-vdso minimal"
2:	.balign	4
