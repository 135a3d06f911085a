/* SPDX-License-Identifier: MIT */
/* The time from the data page: the reader of the protocol that vdso_data.h describes. */
#ifndef VDSO_READ_PAGE_H
#define VDSO_READ_PAGE_H

#include "branch.h"
#include "counter.h"
#include "fence.h"
#include "vdso_data.h"

/* The page itself; the linker script says where. Hidden: reached relative to the pc, without a GOT. */
extern const struct vdso_data vdso_data __attribute__((visibility("hidden")));

static inline int vdso_has_row(int clock)
{
	return __builtin_expect((unsigned)clock < VDSO_ROWS, 1); /* negative ids are above as well */
}

static inline const struct vdso_row *vdso_row(int clock)
{
	const struct vdso_row *row = &vdso_data.row[(unsigned)clock];

	__asm__("" : "+r"(row)); /* one register for all loads: gcc would form the address of each field anew */
	return row;
}

static inline int vdso_time(int clock, struct vdso_time *now)
{
	const struct vdso_row *row, *again;
	uint64_t state, counter, base, mult, floor, units;
	int64_t sec;

	if (!vdso_has_row(clock))
		return 0;
	row = vdso_row(clock);
	state = VDSO_LOAD(row->state);
	if (__builtin_expect(!vdso_is_negative(state), 0))
		return 0; /* before the counter: where it may not be read, the program would die of it */
	vdso_fence_branch();
	counter = vdso_counter_unordered();
	base = VDSO_LOAD(row->base);
	mult = VDSO_LOAD(row->mult);
	floor = VDSO_LOAD(row->floor);
	sec = VDSO_LOAD(row->sec);
	again = vdso_place_again(row, counter);
	if (__builtin_expect(state != VDSO_LOAD(again->state), 0))
		return 0;
	units = vdso_row_units(state, base, mult, floor, counter);
	now->sec = (int64_t)((uint64_t)sec + (units >> VDSO_UNIT_BITS));
	now->nsec = vdso_row_nsec(units, VDSO_LOAD(row->giga)); /* which never changes */
	return 1;
}

/* The resolution is one word, which is right whenever it is loaded, so there is nothing to load twice. */
static inline int vdso_resolution(int clock, uint64_t *nsec)
{
	const struct vdso_row *row;

	if (!vdso_has_row(clock))
		return 0;
	row = vdso_row(clock);
	if (!vdso_row_is_valid(VDSO_LOAD(row->state)))
		return 0;
	vdso_fence_branch();
	*nsec = VDSO_LOAD(row->res);
	return 1;
}

#endif
