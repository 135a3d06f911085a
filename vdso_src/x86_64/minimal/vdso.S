/* SPDX-License-Identifier: MIT
 * A base whose exports all make their plain system call, as a C library does without a vDSO. This command makes base.so of
 * it, in this folder, with gcc and binutils of Debian 12, and a test makes it again:
 *
 * x86_64-linux-gnu-gcc -I.. -I../.. -nostdlib -shared -Wl,-soname,linux-vdso.so.1 -Wl,--hash-style=both -Wl,--build-id=sha1
 *   -Wl,--eh-frame-hdr -Wl,-z,max-page-size=4096 -Wl,-s -Wl,-T,vdso.lds -o base.so vdso.S
 */
#include "numbers.h"

	.text

.macro system_call name, number
	.globl	__vdso_\name
	.type	__vdso_\name, @function
__vdso_\name:
	.cfi_startproc
	mov	$\number, %eax
	syscall
	ret
	.cfi_endproc
	.size	__vdso_\name, . - __vdso_\name
.endm

	system_call clock_gettime, VDSO_NR_CLOCK_GETTIME
	system_call gettimeofday, VDSO_NR_GETTIMEOFDAY
	system_call clock_getres, VDSO_NR_CLOCK_GETRES
	system_call time, VDSO_NR_TIME
	system_call getcpu, VDSO_NR_GETCPU

/* By this note scons-vdso knows whose bytes these are (elf/our_note.py): NT_VERSION, with a name and nothing else. */
	.section .note.scons-vdso, "a", @note
	.balign	4
	.long	2f - 1f, 0, 1
1:	.asciz	"scons-vdso minimal"
2:	.balign	4
