/* SPDX-License-Identifier: MIT */
/*
 * Makes the time of the counter alone, without a data page: VDSO_TIMEBASE_HZ is compiled in. Only the clocks that start
 * with the counter can be served, since a compiled-in wall clock would be wrong at the next boot.
 *
 * All divisions here are of constants: the compiler does them, and the stub multiplies. With c the counter and hz its
 * frequency, the seconds are floor(c / hz), exact for 136 years. The nanoseconds are those of the rest, rounded up by less
 * than 1 ns.
 */
#ifndef VDSO_READ_COUNTER_H
#define VDSO_READ_COUNTER_H

#include "counter.h"

#define HZ ((uint64_t)VDSO_TIMEBASE_HZ)
#define GIGA 1000000000u

_Static_assert(HZ >> 15 && !(HZ >> 33), "what follows was proved for a VDSO_TIMEBASE_HZ of 2^15 to 2^33 - 1");

#define FLOOR_LOG2(x) (63 - __builtin_clzll(x))

/*
 * floor(c / hz) = high((c + ADD) * INVERSE) >> SHIFT, where 2^SHIFT < hz <= 2^(SHIFT + 1) and INVERSE is POWER / hz.
 * Rounded up, INVERSE is too large by EXCESS / hz, which does no harm while c * EXCESS < POWER. Otherwise INVERSE is
 * rounded down, and c + 1 makes up for that (Robison, "N-Bit Unsigned Division Via N-Bit Multiply-Add"). One of the two is
 * always right. c may be up to 2^32 seconds.
 */
#define SHIFT FLOOR_LOG2(HZ - 1)
#define POWER ((unsigned __int128)1 << (64 + SHIFT))
#define EXCESS ((uint64_t)((HZ - POWER % HZ) % HZ))
#define ADD ((unsigned __int128)EXCESS * HZ >= (unsigned __int128)1 << (32 + SHIFT))
#define INVERSE ((uint64_t)((POWER - !ADD) / HZ) + !ADD)

/*
 * rest * 10^9 / hz = rest * NSEC >> FRACTION. NSEC is rounded up, so the result is too large by less than
 * rest / 2^FRACTION. That error must be less than 1 and less than 10^9 / hz, so that a rest of hz - 1 is still below a
 * second. Up to 1 GHz 31 bits of NSEC are enough, and cheap to load. Beyond, NSEC is less than 1, and all 64 bits of it are
 * behind the point. A frequency with whole nanoseconds a tick needs no fraction.
 */
#define FRACTION (GIGA % HZ == 0 ? 0 : HZ < GIGA ? FLOOR_LOG2((HZ << 31) / GIGA) : 64)
#define NSEC ((uint64_t)((((unsigned __int128)GIGA << FRACTION) + HZ - 1) / HZ))

#define RESOLUTION ((GIGA + HZ - 1) / HZ)

#define MONOTONIC 1

/*
 * Served are MONOTONIC 1, MONOTONIC_RAW 4, MONOTONIC_COARSE 6 and BOOTTIME 7 of Linux: with bits 0 and 2 inverted they are
 * 4, 1, 3 and 2, and no other id is. MONOTONIC, which programs ask for most, takes one compare.
 */
static inline int vdso_served(int clock)
{
	return clock == MONOTONIC || ((unsigned)clock ^ 5) - 1 < 4;
}

/*
 * Returns INVERSE, made by code. The compiler would load it from .rodata, which must lie beside the function and is aligned
 * to 8: that can keep the function out of its slot. `li` of 64 bits takes 8 instructions, this 6. Beyond 1 GHz, where the
 * other constants are longer too, two loads keep the function short.
 */
static inline uint64_t vdso_inverse(void)
{
	int64_t high = (int32_t)((INVERSE + 0x80000000) >> 32);

	if (HZ > GIGA)
		return INVERSE;
	__asm__("" : "+r"(high)); /* otherwise the compiler would join the halves again */
	return ((uint64_t)high << 32) + (uint64_t)(int32_t)INVERSE;
}

/* The nanoseconds of so many ticks, which are less than a second. */
static inline uint64_t vdso_nsec(uint64_t rest)
{
	return HZ > GIGA ? (uint64_t)((unsigned __int128)rest * NSEC >> 64) : rest * NSEC >> FRACTION % 64;
}

static inline int vdso_time(int clock, struct vdso_time *now)
{
	uint64_t counter, seconds;

	if (!vdso_served(clock))
		return 0;
	counter = vdso_counter_unordered();
	seconds = (uint64_t)((unsigned __int128)(counter + ADD) * vdso_inverse() >> 64) >> SHIFT;
	now->sec = (int64_t)seconds;
	now->nsec = vdso_nsec(counter - seconds * HZ);
	return 1;
}

static inline int vdso_resolution(int clock, uint64_t *nsec)
{
	*nsec = RESOLUTION;
	return vdso_served(clock);
}

#endif
