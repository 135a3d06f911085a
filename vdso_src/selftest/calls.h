/* SPDX-License-Identifier: MIT */
/* Calls of the image's functions, with the arguments of their system calls. */
#ifndef SELFTEST_CALLS_H
#define SELFTEST_CALLS_H

#include "kernel.h"

/* The addresses of exports; 0: there is no such export. */
extern uint64_t at_clock_gettime, at_clock_getres, at_gettimeofday;

static inline long call_at(uint64_t function, long a, long b, long c, long d, long e)
{
	return ((long (*)(long, long, long, long, long))function)(a, b, c, d, e);
}

static inline long vdso_clock_gettime(long clock, struct vdso_timespec *time)
{
	return call_at(at_clock_gettime, clock, (long)time, 0, 0, 0);
}

static inline long vdso_clock_getres(long clock, struct vdso_timespec *time)
{
	return call_at(at_clock_getres, clock, (long)time, 0, 0, 0);
}

static inline long vdso_gettimeofday(struct vdso_timeval *time, void *zone)
{
	return call_at(at_gettimeofday, (long)time, (long)zone, 0, 0, 0);
}

#endif
