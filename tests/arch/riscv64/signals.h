/* SPDX-License-Identifier: MIT */
/* What a program that gets signals can't say in C. */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <sys/syscall.h>
#include <ucontext.h>

/* Loads from address 8, by an instruction of four bytes. Returns what is in its register then. */
static inline long fault(void)
{
	register long a0 __asm__("a0") = 8;

	__asm__ __volatile__(".option push\n\t.option norvc\n\tld a0, 0(a0)\n\t.option pop" : "+r"(a0)::"memory");
	return a0;
}

/* Lets the program go on behind that instruction, with another value in its register. */
static inline void context_go_on(ucontext_t *context, long value)
{
	context->uc_mcontext.__gregs[0] += 4;
	context->uc_mcontext.__gregs[10] = (unsigned long)value;
}

/* Sends a signal to the own thread. Returns the answer; 33 and 44 from registers that had them before, and their sum from others. */
static inline long send_amid(long process, long thread, long signal, long *first, long *second, long *sum)
{
	register long a0 __asm__("a0") = process;
	register long a1 __asm__("a1") = thread;
	register long a2 __asm__("a2") = signal;
	register long a7 __asm__("a7") = SYS_tgkill;
	long t, s, f;

	__asm__ __volatile__("li t3, 33\n\tli s3, 44\n\tfcvt.d.w ft7, t3\n\tfcvt.d.w fs7, s3\n\tecall\n\t"
			     "fcvt.w.d t4, ft7\n\tfcvt.w.d t5, fs7\n\tadd %2, t4, t5\n\tmv %0, t3\n\tmv %1, s3"
			     : "=&r"(t), "=&r"(s), "=&r"(f), "+r"(a0)
			     : "r"(a1), "r"(a2), "r"(a7)
			     : "t3", "t4", "t5", "s3", "ft7", "fs7", "memory");
	*first = t;
	*second = s;
	*sum = f;
	return a0;
}

#endif
