/* SPDX-License-Identifier: MIT */
/*
 * The clock of an image without a data page: VDSO_TIMEBASE_HZ, the counter's frequency, is compiled in. The stubs include
 * this very file, and for a kernel it is all of its side, so the two cannot disagree.
 *
 * MONOTONIC, MONOTONIC_RAW, MONOTONIC_COARSE and BOOTTIME are served, and all four are one time: counter / VDSO_TIMEBASE_HZ
 * seconds from counter 0 on, never adjusted. Every other clock is the kernel's to answer, REALTIME and TAI too: a wall
 * clock that is compiled in would be wrong at the next boot.
 *
 * Programs take times from the vDSO and hand them to system calls. So the kernel must go by the same time in all of its own: in
 * clock_gettime, clock_getres and sysinfo, and where a program says until when it waits (clock_nanosleep, timers, timerfd,
 * futexes, semaphores). Where a kernel's uptime starts at another counter, each absolute time is off by the difference:
 * a sleep of 0.2 s ends at once, or lasts until the kernel's clock has come there.
 *
 * The counter must never stop or start anew, and be the same on every CPU: nothing here can be set right later. A kernel that
 * can't promise that takes an image with a data page.
 */
#ifndef SCONS_VDSO_COUNTER_TIME_H
#define SCONS_VDSO_COUNTER_TIME_H

#include "clock_ids.h"
#include "counter.h"
#include "language.h"

#define VDSO_HZ ((uint64_t)VDSO_TIMEBASE_HZ)
#define VDSO_GIGA ((uint64_t)1000000000)

#define VDSO_FLOOR_LOG2(x) (63 - __builtin_clzll(x))

/*
 * rest * 10^9 / hz = rest * NSEC >> FRACTION. NSEC is rounded up, so the result is too large by less than
 * rest / 2^FRACTION. That error must be less than 1 and less than 10^9 / hz, so that a rest of hz - 1 is still below a
 * second. Up to 1 GHz 31 bits of NSEC are enough, and cheap to load. Beyond, NSEC is less than 1, and all 64 bits of it are
 * behind the point. A frequency with whole nanoseconds a tick needs no fraction.
 */
#define VDSO_FRACTION \
	(VDSO_GIGA % VDSO_HZ == 0 ? 0 : VDSO_HZ < VDSO_GIGA ? VDSO_FLOOR_LOG2((VDSO_HZ << 31) / VDSO_GIGA) : 64)
#define VDSO_NSEC ((uint64_t)((((vdso_uint128)VDSO_GIGA << VDSO_FRACTION) + VDSO_HZ - 1) / VDSO_HZ))

/* Bits 0 and 2 inverted, the ids 1, 4, 6 and 7 are 4, 1, 3 and 2. MONOTONIC, which programs ask for most, takes one compare. */
static inline int vdso_counter_serves(int clock)
{
	return clock == VDSO_MONOTONIC || ((unsigned)clock ^ 5) - 1 < 4;
}

/* The nanoseconds of so many ticks, which are less than a second. `nsec` is VDSO_NSEC. */
static inline uint64_t vdso_counter_nsec(uint64_t rest, uint64_t nsec)
{
	return VDSO_HZ > VDSO_GIGA ? (uint64_t)((vdso_uint128)rest * nsec >> 64) : rest * nsec >> VDSO_FRACTION % 64;
}

static inline uint64_t vdso_counter_resolution(void)
{
	return (VDSO_GIGA + VDSO_HZ - 1) / VDSO_HZ;
}

/*
 * The kernel's own clock_gettime: what user space reads at `counter`, which is what vdso_counter() gave. It needs no lock.
 * Returns 0; -1 for a clock that is not served: then `sec` and `nsec` are left alone. Equal to the stubs for 136 years.
 */
static inline VDSO_MUST_USE int vdso_read(int clock, uint64_t counter, int64_t *sec, uint32_t *nsec)
{
	static const uint64_t vdso_nsec = VDSO_NSEC; /* a static constant is never computed at run time */

	if (!vdso_counter_serves(clock))
		return -1;
	*sec = (int64_t)(counter / VDSO_HZ);
	*nsec = (uint32_t)vdso_counter_nsec(counter % VDSO_HZ, vdso_nsec);
	return 0;
}

/* The kernel's own clock_getres, for every clock that vdso_read() answers: 10^9 / VDSO_TIMEBASE_HZ rounded up; else -1. */
static inline VDSO_MUST_USE int vdso_getres(int clock, int64_t *sec, uint32_t *nsec)
{
	if (!vdso_counter_serves(clock))
		return -1;
	*sec = 0;
	*nsec = (uint32_t)vdso_counter_resolution();
	return 0;
}

#endif
