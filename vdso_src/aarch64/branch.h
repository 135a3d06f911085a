/* SPDX-License-Identifier: MIT */
/* Branches that must stay branches. */
#ifndef VDSO_BRANCH_H
#define VDSO_BRANCH_H

#include <stdint.h>

/* The order of what follows hangs on it (vdso_fence_branch), so no compiler may make a select of it. */
static inline int vdso_is_negative(uint64_t value)
{
	__asm__ goto("tbz %0, #63, %l[positive]" : : "r"(value) : : positive);
	return 1;
positive:
	return 0;
}

#endif
