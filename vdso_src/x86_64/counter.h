/* SPDX-License-Identifier: MIT */
/* Reads the time-stamp counter, for programs and for the kernel. What orders such a read is in fence.h. */
#ifndef SCONS_VDSO_COUNTER_H
#define SCONS_VDSO_COUNTER_H

#include "fence.h"
#include "language.h"

#ifdef __x86_64__

/* Reads the counter, which the hardware may do earlier or later. In a program it needs CR4.TSD to be 0. */
static inline uint64_t vdso_counter_unordered(void)
{
	uint64_t counter;

	__asm__ __volatile__("rdtsc\n\tshlq $32, %%rdx\n\torq %%rdx, %%rax" : "=a"(counter) : : "rdx", "memory", "cc");
	return counter;
}

/* Reads the counter behind all loads and stores before, and before all that follow. A lock does not order it. */
static inline uint64_t vdso_counter(void)
{
	uint64_t counter;

	VDSO_FENCE("mfence\n\tlfence");
	counter = vdso_counter_unordered();
	VDSO_FENCE("lfence");
	return counter;
}

#endif

#endif
