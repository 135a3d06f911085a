/* SPDX-License-Identifier: MIT */
/* The counter of user space: the constant-frequency timer. The fences that keep it in its place are in fence.h. */
#ifndef VDSO_COUNTER_H
#define VDSO_COUNTER_H

#include <stdint.h>

/* The second register would get the id of the counter, which a kernel has chosen for each CPU. */
static inline uint64_t vdso_counter(void)
{
	uint64_t counter;

	__asm__ volatile("rdtime.d %0, $zero" : "=r"(counter) : : "memory");
	return counter;
}

#endif
