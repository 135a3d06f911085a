/* SPDX-License-Identifier: MIT */
/* The time from the data page. The reader of a row is in read_row.h. */
#ifndef VDSO_READ_PAGE_H
#define VDSO_READ_PAGE_H

#include "fence.h"
#include "read_row.h"
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
	return vdso_has_row(clock) && vdso_read_row(vdso_row(clock), now);
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
	vdso_fence_branch_loads();
	*nsec = VDSO_LOAD(row->res);
	return 1;
}

#endif
