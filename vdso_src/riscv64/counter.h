/* SPDX-License-Identifier: MIT */
/* The counter of user space, and the fences that keep it in its place. */
#ifndef VDSO_COUNTER_H
#define VDSO_COUNTER_H

#include <stdint.h>

/* Needs mcounteren.TM and scounteren.TM. */
static inline uint64_t vdso_counter(void)
{
	uint64_t counter;

	__asm__ volatile("rdtime %0" : "=r"(counter)::"memory");
	return counter;
}

/* Zicsr counts reading a counter as device input (i): `fence r,r`, which Linux has here, does not order it. */

/* What was loaded before stays before the counter and all later loads. */
static inline void vdso_fence_load(void)
{
	__asm__ volatile("fence r,ir" ::: "memory");
}

/* The counter and what was loaded before stay before all later loads. */
static inline void vdso_fence_reload(void)
{
	__asm__ volatile("fence ir,r" ::: "memory");
}

#endif
