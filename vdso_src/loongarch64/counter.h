/* SPDX-License-Identifier: MIT */
/* Reads the constant-frequency timer, for programs and for the kernel. The fences that order such a read are in fence.h. */
#ifndef SCONS_VDSO_COUNTER_H
#define SCONS_VDSO_COUNTER_H

#include "fence.h"
#include "language.h"

#ifdef __loongarch__ /* tests run the kernel's side on the machine that builds, with a counter of their own */

/*
 * Reads the counter, which the hardware may do earlier or later. In a program it needs CSR.MISC.DRDTL3 to be 0. The second
 * register of the instruction would get the id of the counter, which a kernel has chosen for each CPU.
 */
static inline uint64_t vdso_counter_unordered(void)
{
	uint64_t counter;

	__asm__ __volatile__("rdtime.d %0, $zero" : "=r"(counter)::"memory");
	return counter;
}

/* Reads the counter behind all loads and stores before, and before all that follow. A lock does not order it. */
static inline uint64_t vdso_counter(void)
{
	uint64_t counter;

	VDSO_FENCE();
	counter = vdso_counter_unordered();
	VDSO_FENCE();
	return counter;
}

#endif

#endif
