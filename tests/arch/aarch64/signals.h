/* SPDX-License-Identifier: MIT */
/* What a program that gets signals can't say in C. */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <sys/syscall.h>
#include <ucontext.h>

/* Loads from address 8. Returns what is in its register then. */
static inline long fault(void)
{
	register long x0 __asm__("x0") = 8;

	__asm__ __volatile__("ldr x0, [x0]" : "+r"(x0)::"memory");
	return x0;
}

/* Lets the program go on behind that instruction, with another value in its register. */
static inline void context_go_on(ucontext_t *context, long value)
{
	context->uc_mcontext.pc += 4;
	context->uc_mcontext.regs[0] = (unsigned long)value;
}

/*
 * Sends a signal to the own thread. Returns the answer; 33 and 44 from registers that had them before, and their sum from
 * others, if the flags of a comparison of the two are what they were.
 */
static inline long send_amid(long process, long thread, long signal, long *first, long *second, long *sum)
{
	register long x0 __asm__("x0") = process;
	register long x1 __asm__("x1") = thread;
	register long x2 __asm__("x2") = signal;
	register long x8 __asm__("x8") = SYS_tgkill;
	long t, s, f;

	__asm__ __volatile__("mov x9, #33\n\tmov x20, #44\n\tscvtf d7, x9\n\tscvtf d9, x20\n\tcmp x20, x9\n\tsvc #0\n\t"
			     "fcvtzs x10, d7\n\tfcvtzs x11, d9\n\tcsel x10, x10, xzr, hi\n\tadd %2, x10, x11\n\t"
			     "mov %0, x9\n\tmov %1, x20"
			     : "=&r"(t), "=&r"(s), "=&r"(f), "+r"(x0)
			     : "r"(x1), "r"(x2), "r"(x8)
			     : "x9", "x10", "x11", "x20", "d7", "d9", "cc", "memory");
	*first = t;
	*second = s;
	*sum = f;
	return x0;
}

#endif
