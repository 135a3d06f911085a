/* SPDX-License-Identifier: MIT */
/*
 * Reads a row with the nine registers that a function may change, of which two keep the arguments for the system call. So base,
 * mult, floor and the second look are operands in memory, which no compiler makes of a volatile access.
 */
#ifndef VDSO_READ_ROW_H
#define VDSO_READ_ROW_H

#include "counter.h"
#include "fence.h"
#include "read.h"
#include "vdso_data.h"

/*
 * Like vdso_row_units(), for the values of the row that are in memory. `rest` is some value that depends on the counter. The floor is
 * a branch here too: with `cmov` all that follows would wait for it, and the next call's `lfence` for that.
 */
static inline uint64_t vdso_row_units_there(const struct vdso_row *row, uint64_t state, uint64_t counter, uint64_t *rest)
{
	uint64_t units;
	int below;

	*rest = counter << (state & VDSO_STATE_SHIFT);
	__asm__ __volatile__("subq %[base], %[low]\n\tmulq %[mult]\n\tcmpq %[floor], %[high]"
			     : [low] "+a"(*rest), [high] "=&d"(units), "=@ccb"(below)
			     : [base] "m"(row->base), [mult] "m"(row->mult), [floor] "m"(row->floor)
			     : "memory");
	if (__builtin_expect(below, 0))
		units = VDSO_LOAD(row->floor);
	return units;
}

static inline int vdso_read_row(const struct vdso_row *row, struct vdso_time *now)
{
	uint64_t state = VDSO_LOAD(row->state), units, rest;
	const struct vdso_row *again;
	int64_t sec;
	int same;

	if (__builtin_expect(!vdso_row_is_valid(state), 0))
		return 0; /* before the counter: where it may not be read, the program would die of it */
	vdso_fence_branch();
	units = vdso_row_units_there(row, state, vdso_counter_unordered(), &rest);
	sec = VDSO_LOAD(row->sec);
	again = vdso_place_again(row, rest);
	__asm__ __volatile__("cmpq %[state], %[field]" : "=@cce"(same) : [field] "m"(again->state), [state] "r"(state) : "memory");
	if (__builtin_expect(!same, 0))
		return 0;
	now->sec = (int64_t)((uint64_t)sec + (units >> VDSO_UNIT_BITS));
	now->nsec = vdso_row_nsec(units, row->giga); /* which never changes, and as an operand takes no register */
	return 1;
}

#endif
