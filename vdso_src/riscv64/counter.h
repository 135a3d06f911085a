/* SPDX-License-Identifier: MIT */
/* Reads the counter in user space. The fences that order such a read are in fence.h. */
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

#endif
