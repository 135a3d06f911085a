/* SPDX-License-Identifier: MIT
 * A base whose exports all make their plain system call, as a C library does without a vDSO. This command makes base.so of
 * it, in this folder, with gcc and binutils of Debian 12, and a test makes it again:
 *
 * aarch64-linux-gnu-gcc -mcmodel=tiny -I.. -I../.. -nostdlib -shared -Wl,-soname,linux-vdso.so.1 -Wl,--hash-style=both
 *   -Wl,--build-id=sha1 -Wl,--eh-frame-hdr -Wl,-z,max-page-size=4096 -Wl,-s -Wl,-T,vdso.lds -o base.so vdso.S
 */
#include "numbers.h"

	.text

/* Unwinders look up the address before the one that a signal handler returns to: this nop, which no FDE covers. */
	nop
	.globl	__kernel_rt_sigreturn
	.type	__kernel_rt_sigreturn, @function
__kernel_rt_sigreturn:
	.cfi_startproc
	.cfi_signal_frame
	mov	x8, #VDSO_NR_RT_SIGRETURN
	svc	#0
	.cfi_endproc
	.size	__kernel_rt_sigreturn, . - __kernel_rt_sigreturn

.macro system_call name, number
	.globl	__kernel_\name
	.type	__kernel_\name, @function
__kernel_\name:
	.cfi_startproc
	mov	x8, #\number
	svc	#0
	ret
	.cfi_endproc
	.size	__kernel_\name, . - __kernel_\name
.endm

	system_call clock_gettime, VDSO_NR_CLOCK_GETTIME
	system_call gettimeofday, VDSO_NR_GETTIMEOFDAY
	system_call clock_getres, VDSO_NR_CLOCK_GETRES

/* By this note scons-vdso knows whose bytes these are (elf/our_note.py): NT_VERSION, with a name and nothing else. */
	.section .note.scons-vdso, "a", @note
	.balign	4
	.long	2f - 1f, 0, 1
1:	.asciz	"scons-vdso minimal"
2:	.balign	4
