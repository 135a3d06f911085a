/* SPDX-License-Identifier: MIT */
/* Branches that a compiler would make longer than they must be. */
#ifndef VDSO_BRANCH_H
#define VDSO_BRANCH_H

#include <stdint.h>

/* One instruction. Up to clang 19 the comparison in C is one with -1, which takes another to make. */
static inline int vdso_is_negative(uint64_t value)
{
	__asm__ goto("bltz %0, %l[negative]" : : "r"(value) : : negative);
	return 0;
negative:
	return 1;
}

#endif
