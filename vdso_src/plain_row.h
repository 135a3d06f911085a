/* SPDX-License-Identifier: MIT */
/* The reader of the protocol that vdso_data.h describes, in C. An architecture may have another: its read_row.h says which. */
#ifndef VDSO_PLAIN_ROW_H
#define VDSO_PLAIN_ROW_H

#include "branch.h"
#include "counter.h"
#include "fence.h"
#include "read.h"
#include "vdso_data.h"

/* Takes the time of a valid row: 1 and the time; 0: ask the kernel. */
static inline int vdso_read_row(const struct vdso_row *row, struct vdso_time *now)
{
	const struct vdso_row *again;
	uint64_t state, counter, base, mult, floor, units;
	int64_t sec;

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

#endif
