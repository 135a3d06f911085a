/* SPDX-License-Identifier: MIT
 * A base whose exports all make their plain system call, as a C library does without a vDSO. This command makes base.so of
 * it, in this folder, with gcc and binutils of Debian 12, and a test makes it again:
 *
 * riscv64-linux-gnu-gcc -march=rv64imac -mabi=lp64 -mno-relax -I.. -I../.. -nostdlib -shared -Wl,-soname,linux-vdso.so.1
 *   -Wl,--hash-style=both -Wl,--build-id=sha1 -Wl,--eh-frame-hdr -Wl,--no-relax -Wl,-s -Wl,-T,vdso.lds -o base.so vdso.S
 */
#include "numbers.h"

	.text
	.option norvc	/* unwinders match rt_sigreturn as two 4-byte instructions */

/* Unwinders look up the address before the one that a signal handler returns to: this nop, which no FDE covers. */
	nop
	.globl	__vdso_rt_sigreturn
	.type	__vdso_rt_sigreturn, @function
__vdso_rt_sigreturn:
	.cfi_startproc
	.cfi_signal_frame
	li	a7, VDSO_NR_RT_SIGRETURN
	ecall
	.cfi_endproc
	.size	__vdso_rt_sigreturn, . - __vdso_rt_sigreturn

.macro system_call name, number
	.balign	4
	.globl	__vdso_\name
	.type	__vdso_\name, @function
__vdso_\name:
	.cfi_startproc
	li	a7, \number
	ecall
	ret
	.cfi_endproc
	.size	__vdso_\name, . - __vdso_\name
.endm

	system_call clock_gettime, VDSO_NR_CLOCK_GETTIME
	system_call gettimeofday, VDSO_NR_GETTIMEOFDAY
	system_call clock_getres, VDSO_NR_CLOCK_GETRES
	system_call getcpu, VDSO_NR_GETCPU
	system_call flush_icache, VDSO_NR_RISCV_FLUSH_ICACHE
	system_call riscv_hwprobe, VDSO_NR_RISCV_HWPROBE

/* By this note scons-vdso knows whose bytes these are (elf/our_note.py): NT_VERSION, with a name and nothing else. */
	.section .note.scons-vdso, "a", @note
	.balign	4
	.long	2f - 1f, 0, 1
1:	.asciz	"scons-vdso minimal"
2:	.balign	4
