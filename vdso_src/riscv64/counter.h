/* SPDX-License-Identifier: MIT */
/* Reads the counter, for programs and for the kernel. The fences that order such a read are in fence.h. */
#ifndef VDSO_COUNTER_H
#define VDSO_COUNTER_H

#include <stdint.h>

#include "fence.h"

#ifdef __riscv /* tests run the kernel's side on the machine that builds, with a counter of their own */

/* The counter, wherever the hardware reads it. Needs mcounteren.TM, and scounteren.TM for programs. */
static inline uint64_t vdso_counter_unordered(void)
{
	uint64_t counter;

	__asm__ __volatile__("rdtime %0" : "=r"(counter)::"memory");
	return counter;
}

/* The counter in its place: behind all loads and stores before, and before all that follow. A lock does not order it. */
static inline uint64_t vdso_counter(void)
{
	uint64_t counter;

	VDSO_FENCE("rw,i");
	counter = vdso_counter_unordered();
	VDSO_FENCE("i,rw");
	return counter;
}

#endif

#endif
