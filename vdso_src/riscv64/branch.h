/* SPDX-License-Identifier: MIT */
/* Branches that a compiler would make longer than they must be; on this architecture there are none. */
#ifndef VDSO_BRANCH_H
#define VDSO_BRANCH_H

#include <stdint.h>

static inline int vdso_is_negative(uint64_t value)
{
	return (int64_t)value < 0;
}

#endif
