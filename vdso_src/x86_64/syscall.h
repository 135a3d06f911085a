/* SPDX-License-Identifier: MIT */
/*
 * Makes system calls: number in rax, arguments in rdi, rsi, rdx, r10, r8, r9, answer in rax; the instruction itself writes rcx
 * and r11, and the kernel keeps all other registers.
 */
#ifndef VDSO_SYSCALL_H
#define VDSO_SYSCALL_H

#include "numbers.h"

static inline long vdso_syscall0(long number)
{
	long answer;

	__asm__ volatile("syscall" : "=a"(answer) : "a"(number) : "rcx", "r11", "memory");
	return answer;
}

static inline long vdso_syscall1(long number, long first)
{
	long answer;

	__asm__ volatile("syscall" : "=a"(answer) : "a"(number), "D"(first) : "rcx", "r11", "memory");
	return answer;
}

static inline long vdso_syscall2(long number, long first, long second)
{
	long answer;

	__asm__ volatile("syscall" : "=a"(answer) : "a"(number), "D"(first), "S"(second) : "rcx", "r11", "memory");
	return answer;
}

static inline long vdso_syscall3(long number, long first, long second, long third)
{
	long answer;

	__asm__ volatile("syscall" : "=a"(answer) : "a"(number), "D"(first), "S"(second), "d"(third) : "rcx", "r11", "memory");
	return answer;
}

static inline long vdso_syscall4(long number, long first, long second, long third, long fourth)
{
	long answer;
	register long r10 __asm__("r10") = fourth;

	__asm__ volatile("syscall" : "=a"(answer) : "a"(number), "D"(first), "S"(second), "d"(third), "r"(r10) : "rcx", "r11", "memory");
	return answer;
}

static inline long vdso_syscall5(long number, long first, long second, long third, long fourth, long fifth)
{
	long answer;
	register long r10 __asm__("r10") = fourth;
	register long r8 __asm__("r8") = fifth;

	__asm__ volatile("syscall" : "=a"(answer) : "a"(number), "D"(first), "S"(second), "d"(third), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
	return answer;
}

static inline long vdso_syscall6(long number, long first, long second, long third, long fourth, long fifth, long sixth)
{
	long answer;
	register long r10 __asm__("r10") = fourth;
	register long r8 __asm__("r8") = fifth;
	register long r9 __asm__("r9") = sixth;

	__asm__ volatile("syscall" : "=a"(answer) : "a"(number), "D"(first), "S"(second), "d"(third), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return answer;
}

#endif
