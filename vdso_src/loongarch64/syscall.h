/* SPDX-License-Identifier: MIT */
/* Makes system calls: number in $a7, arguments in $a0 to $a5, answer in $a0; the kernel keeps all other registers but $t0 to $t8. */
#ifndef VDSO_SYSCALL_H
#define VDSO_SYSCALL_H

#include "numbers.h"

#define VDSO_SYSCALL_CLOBBERS "$t0", "$t1", "$t2", "$t3", "$t4", "$t5", "$t6", "$t7", "$t8", "memory"

static inline long vdso_syscall0(long number)
{
	register long a0 __asm__("$a0");
	register long a7 __asm__("$a7") = number;

	__asm__ volatile("syscall 0" : "=r"(a0) : "r"(a7) : VDSO_SYSCALL_CLOBBERS);
	return a0;
}

static inline long vdso_syscall1(long number, long first)
{
	register long a0 __asm__("$a0") = first;
	register long a7 __asm__("$a7") = number;

	__asm__ volatile("syscall 0" : "+r"(a0) : "r"(a7) : VDSO_SYSCALL_CLOBBERS);
	return a0;
}

static inline long vdso_syscall2(long number, long first, long second)
{
	register long a0 __asm__("$a0") = first;
	register long a1 __asm__("$a1") = second;
	register long a7 __asm__("$a7") = number;

	__asm__ volatile("syscall 0" : "+r"(a0) : "r"(a1), "r"(a7) : VDSO_SYSCALL_CLOBBERS);
	return a0;
}

static inline long vdso_syscall3(long number, long first, long second, long third)
{
	register long a0 __asm__("$a0") = first;
	register long a1 __asm__("$a1") = second;
	register long a2 __asm__("$a2") = third;
	register long a7 __asm__("$a7") = number;

	__asm__ volatile("syscall 0" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : VDSO_SYSCALL_CLOBBERS);
	return a0;
}

static inline long vdso_syscall4(long number, long first, long second, long third, long fourth)
{
	register long a0 __asm__("$a0") = first;
	register long a1 __asm__("$a1") = second;
	register long a2 __asm__("$a2") = third;
	register long a3 __asm__("$a3") = fourth;
	register long a7 __asm__("$a7") = number;

	__asm__ volatile("syscall 0" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a7) : VDSO_SYSCALL_CLOBBERS);
	return a0;
}

static inline long vdso_syscall5(long number, long first, long second, long third, long fourth, long fifth)
{
	register long a0 __asm__("$a0") = first;
	register long a1 __asm__("$a1") = second;
	register long a2 __asm__("$a2") = third;
	register long a3 __asm__("$a3") = fourth;
	register long a4 __asm__("$a4") = fifth;
	register long a7 __asm__("$a7") = number;

	__asm__ volatile("syscall 0" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a7) : VDSO_SYSCALL_CLOBBERS);
	return a0;
}

static inline long vdso_syscall6(long number, long first, long second, long third, long fourth, long fifth, long sixth)
{
	register long a0 __asm__("$a0") = first;
	register long a1 __asm__("$a1") = second;
	register long a2 __asm__("$a2") = third;
	register long a3 __asm__("$a3") = fourth;
	register long a4 __asm__("$a4") = fifth;
	register long a5 __asm__("$a5") = sixth;
	register long a7 __asm__("$a7") = number;

	__asm__ volatile("syscall 0" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7) : VDSO_SYSCALL_CLOBBERS);
	return a0;
}

#endif
