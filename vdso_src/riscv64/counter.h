/* SPDX-License-Identifier: MIT */
/*
 * Reads the counter, for programs and for the kernel. The fences that order such a read are in fence.h.
 *
 * It is the CSR `time`, or with COUNTER=mmio:OFFSET a word in memory, mtime: then the stubs, which are compiled with
 * VDSO_COUNTER_MMIO, find it where the linker script says, and the kernel where it has mapped that page for itself. A CSR counts
 * as device input (i), and so does a word of a device; in memory that is not a device's the same load is an r. So the
 * fences name both where the counter is a word.
 */
#ifndef SCONS_VDSO_COUNTER_H
#define SCONS_VDSO_COUNTER_H

#include "fence.h"
#include "language.h"

#ifdef __riscv /* tests run the kernel's side on the machine that builds, with a counter of their own */

#if defined(VDSO_COUNTER_OFFSET)

/* Reads the counter in the kernel's own mapping of its page, behind all loads and stores before, and before all that follow. */
static inline uint64_t vdso_counter(const volatile void *page)
{
	uint64_t counter;

	VDSO_FENCE("rw,ir");
	counter = *(const volatile uint64_t *)(const volatile void *)((const volatile char *)page + VDSO_COUNTER_WORD);
	VDSO_FENCE("ir,rw");
	return counter;
}

#else

#ifdef VDSO_COUNTER_MMIO

#define VDSO_COUNTER_IS "ir"

extern const volatile uint64_t vdso_counter_word __attribute__((visibility("hidden")));

/* Reads the counter, which the hardware may do earlier or later. */
static inline uint64_t vdso_counter_unordered(void)
{
	return vdso_counter_word;
}

#else

#define VDSO_COUNTER_IS "i"

/* Reads the counter, which the hardware may do earlier or later. Needs mcounteren.TM, and scounteren.TM in a program. */
static inline uint64_t vdso_counter_unordered(void)
{
	uint64_t counter;

	__asm__ __volatile__("rdtime %0" : "=r"(counter)::"memory");
	return counter;
}

#endif

/* Reads the counter behind all loads and stores before, and before all that follow. A lock does not order it. */
static inline uint64_t vdso_counter(void)
{
	uint64_t counter;

	VDSO_FENCE("rw," VDSO_COUNTER_IS);
	counter = vdso_counter_unordered();
	VDSO_FENCE(VDSO_COUNTER_IS ",rw");
	return counter;
}

#endif

#endif

#endif
