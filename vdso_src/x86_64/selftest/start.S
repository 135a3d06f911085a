/* SPDX-License-Identifier: MIT */
/* Where the kernel enters: argc, argv, environment and auxiliary vector lie at rsp. */
#include "numbers.h"

	.text
	.globl	_start
_start:
	mov	%rsp, %rdi
	and	$-16, %rsp
	call	selftest
	ud2

	.globl	machine_illegal
machine_illegal:
	ud2
	ret

	.globl	machine_restorer
machine_restorer:
	mov	$VDSO_NR_RT_SIGRETURN, %eax
	syscall
	ud2

	.globl	guard_enter
guard_enter:
	lea	guard_registers(%rip), %rax
	mov	%rbx, (%rax)
	mov	%rbp, 8(%rax)
	mov	%r12, 16(%rax)
	mov	%r13, 24(%rax)
	mov	%r14, 32(%rax)
	mov	%r15, 40(%rax)
	mov	%rsp, 48(%rax)
	mov	%rdi, %rax
	mov	%rsi, %rdi
	sub	$8, %rsp
	call	*%rax
	add	$8, %rsp
	xor	%eax, %eax
	ret

	.globl	guard_leave
guard_leave:
	lea	guard_registers(%rip), %rax
	mov	(%rax), %rbx
	mov	8(%rax), %rbp
	mov	16(%rax), %r12
	mov	24(%rax), %r13
	mov	32(%rax), %r14
	mov	40(%rax), %r15
	mov	48(%rax), %rsp
	mov	$1, %eax
	ret

	.globl	machine_thread
machine_thread:		/* clone takes the child's id before the thread's own memory */
	mov	8(%rsp), %rax
	sub	$16, %rsi
	mov	%r9, (%rsi)
	mov	%rax, 8(%rsi)
	mov	%r8, %r10
	mov	%rcx, %r8
	mov	$VDSO_NR_CLONE, %eax
	syscall
	test	%rax, %rax
	jnz	1f
	cmp	%rsi, %rsp
	je	2f
1:	ret			/* with 0 on the old stack: the kernel did nothing */
2:	pop	%rax
	pop	%rdi
	call	*%rax
	xor	%edi, %edi
	mov	$VDSO_NR_EXIT, %eax
	syscall
	ud2

	.bss
	.balign	16
guard_registers:
	.skip	7 * 8

	.section .note.GNU-stack, "", @progbits
