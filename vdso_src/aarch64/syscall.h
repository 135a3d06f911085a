/* SPDX-License-Identifier: MIT */
/* Makes system calls: number in x8, arguments in x0 to x5, answer in x0; the kernel keeps all other registers. */
#ifndef VDSO_SYSCALL_H
#define VDSO_SYSCALL_H

#include "numbers.h"

static inline long vdso_syscall0(long number)
{
	register long x0 __asm__("x0");
	register long x8 __asm__("x8") = number;

	__asm__ volatile("svc #0" : "=r"(x0) : "r"(x8) : "memory");
	return x0;
}

static inline long vdso_syscall1(long number, long first)
{
	register long x0 __asm__("x0") = first;
	register long x8 __asm__("x8") = number;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8) : "memory");
	return x0;
}

static inline long vdso_syscall2(long number, long first, long second)
{
	register long x0 __asm__("x0") = first;
	register long x1 __asm__("x1") = second;
	register long x8 __asm__("x8") = number;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x1), "r"(x8) : "memory");
	return x0;
}

static inline long vdso_syscall3(long number, long first, long second, long third)
{
	register long x0 __asm__("x0") = first;
	register long x1 __asm__("x1") = second;
	register long x2 __asm__("x2") = third;
	register long x8 __asm__("x8") = number;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x8) : "memory");
	return x0;
}

static inline long vdso_syscall4(long number, long first, long second, long third, long fourth)
{
	register long x0 __asm__("x0") = first;
	register long x1 __asm__("x1") = second;
	register long x2 __asm__("x2") = third;
	register long x3 __asm__("x3") = fourth;
	register long x8 __asm__("x8") = number;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3), "r"(x8) : "memory");
	return x0;
}

static inline long vdso_syscall5(long number, long first, long second, long third, long fourth, long fifth)
{
	register long x0 __asm__("x0") = first;
	register long x1 __asm__("x1") = second;
	register long x2 __asm__("x2") = third;
	register long x3 __asm__("x3") = fourth;
	register long x4 __asm__("x4") = fifth;
	register long x8 __asm__("x8") = number;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x8) : "memory");
	return x0;
}

static inline long vdso_syscall6(long number, long first, long second, long third, long fourth, long fifth, long sixth)
{
	register long x0 __asm__("x0") = first;
	register long x1 __asm__("x1") = second;
	register long x2 __asm__("x2") = third;
	register long x3 __asm__("x3") = fourth;
	register long x4 __asm__("x4") = fifth;
	register long x5 __asm__("x5") = sixth;
	register long x8 __asm__("x8") = number;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5), "r"(x8) : "memory");
	return x0;
}

#endif
