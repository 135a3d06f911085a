/* SPDX-License-Identifier: MIT */
/* Differences of times in nanoseconds: 64 bits could not hold every time that a kernel may answer. */
#ifndef SELFTEST_TIME_H
#define SELFTEST_TIME_H

#include "abi.h"

#define MICROSECOND 1000l
#define MILLISECOND 1000000l
#define SECOND 1000000000l
#define FAR (INT64_MAX / SECOND - 1)

/* Returns b - a in nanoseconds, at most 292 years. */
static inline long between(const struct vdso_timespec *a, const struct vdso_timespec *b)
{
	long seconds;

	if (__builtin_sub_overflow(b->sec, a->sec, &seconds) || seconds > FAR || seconds < -FAR)
		return b->sec > a->sec ? INT64_MAX : -INT64_MAX;
	return seconds * SECOND + (b->nsec - a->nsec);
}

static inline int is_time(const struct vdso_timespec *time)
{
	return time->nsec >= 0 && time->nsec < SECOND;
}

#endif
