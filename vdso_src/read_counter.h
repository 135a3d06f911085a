/* SPDX-License-Identifier: MIT */
/*
 * Makes the time of the counter alone, without a data page, of what counter_time.h says.
 *
 * All divisions here are of constants: the compiler does them, and the stub multiplies. With c the counter and hz its
 * frequency, the seconds are floor(c / hz), exact for 136 years. The nanoseconds are those of the rest, rounded up by less
 * than 1 ns.
 */
#ifndef VDSO_READ_COUNTER_H
#define VDSO_READ_COUNTER_H

#include "counter.h"
#include "counter_time.h"

_Static_assert(VDSO_HZ >> 15 && !(VDSO_HZ >> 33), "what follows was proved for a VDSO_TIMEBASE_HZ of 2^15 to 2^33 - 1");

/*
 * floor(c / hz) = high((c + ADD) * INVERSE) >> SHIFT, where 2^SHIFT < hz <= 2^(SHIFT + 1) and INVERSE is POWER / hz.
 * Rounded up, INVERSE is too large by EXCESS / hz, which does no harm while c * EXCESS < POWER. Otherwise INVERSE is
 * rounded down, and c + 1 makes up for that (Robison, "N-Bit Unsigned Division Via N-Bit Multiply-Add"). One of the two is
 * always right. c may be up to 2^32 seconds.
 */
#define SHIFT VDSO_FLOOR_LOG2(VDSO_HZ - 1)
#define POWER ((unsigned __int128)1 << (64 + SHIFT))
#define EXCESS ((uint64_t)((VDSO_HZ - POWER % VDSO_HZ) % VDSO_HZ))
#define ADD ((unsigned __int128)EXCESS * VDSO_HZ >= (unsigned __int128)1 << (32 + SHIFT))
#define INVERSE ((uint64_t)((POWER - !ADD) / VDSO_HZ) + !ADD)

/*
 * Returns INVERSE, made by code. The compiler would load it from .rodata, which must lie beside the function and is aligned
 * to 8: that can keep the function out of its slot. `li` of 64 bits takes 8 instructions, this 6.
 */
static inline uint64_t vdso_inverse(void)
{
	int64_t high = (int32_t)((INVERSE + 0x80000000) >> 32);

	__asm__("" : "+r"(high)); /* otherwise the compiler would join the halves again */
	return ((uint64_t)high << 32) + (uint64_t)(int32_t)INVERSE;
}

static inline int vdso_time(int clock, struct vdso_time *now)
{
	/* Beyond 1 GHz both constants have 64 bits, and two loads keep the function short. */
	static const uint64_t table[] = { INVERSE, VDSO_NSEC };
	const uint64_t *constants = table;
	uint64_t counter, inverse, seconds;

	if (!vdso_counter_serves(clock))
		return 0;
	counter = vdso_counter_unordered();
	if (VDSO_HZ > VDSO_GIGA)
		__asm__("" : "+r"(constants)); /* otherwise gcc 14 would make each of them by six instructions */
	inverse = VDSO_HZ > VDSO_GIGA ? constants[0] : vdso_inverse();
	seconds = (uint64_t)((unsigned __int128)(counter + ADD) * inverse >> 64) >> SHIFT;
	now->sec = (int64_t)seconds;
	now->nsec = vdso_counter_nsec(counter - seconds * VDSO_HZ, constants[1]);
	return 1;
}

static inline int vdso_resolution(int clock, uint64_t *nsec)
{
	*nsec = vdso_counter_resolution();
	return vdso_counter_serves(clock);
}

#endif
