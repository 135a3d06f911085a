/* SPDX-License-Identifier: MIT */
/* Reads the virtual counter, for programs and for the kernel. What orders such a read is in fence.h. */
#ifndef SCONS_VDSO_COUNTER_H
#define SCONS_VDSO_COUNTER_H

#include "fence.h"
#include "language.h"

#ifdef __aarch64__ /* tests run the kernel's side on the machine that builds, with a counter of their own */

/* Reads the counter, which the hardware may do earlier or later. In a program it needs CNTKCTL_EL1.EL0VCTEN. */
static inline uint64_t vdso_counter_unordered(void)
{
	uint64_t counter;

	__asm__ __volatile__("mrs %0, cntvct_el0" : "=r"(counter)::"memory");
	return counter;
}

/* Reads the counter behind all loads and stores before, and before all that follow. A lock does not order it. */
static inline uint64_t vdso_counter(void)
{
	uint64_t counter;

	VDSO_FENCE("dsb ish\n\tisb");
	counter = vdso_counter_unordered();
	VDSO_FENCE("isb");
	return counter;
}

#endif

#endif
