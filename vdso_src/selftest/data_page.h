/* SPDX-License-Identifier: MIT */
/* The data page, as a process sees it. */
#ifndef SELFTEST_DATA_PAGE_H
#define SELFTEST_DATA_PAGE_H

#include "image.h"
#include "vdso_data.h"

static inline const volatile struct vdso_data *data_page(void)
{
	return (const volatile struct vdso_data *)image_data();
}

/* Judges by `giga`, which never changes and stands in the rows of clocks alone: no other page is like that. */
static inline int is_data_page(uint64_t address)
{
	const volatile struct vdso_row *row = &((const volatile struct vdso_data *)address)->row[VDSO_MONOTONIC];

	return row[0].giga == VDSO_NSEC_PER_SEC && row[1].giga == 0;
}

/* Tells whether the vDSO answers for the clock by itself, just now. */
static inline int is_valid(long clock)
{
	return (int64_t)data_page()->row[clock].state < 0;
}

/* Tells whether the kernel has told every clock to ask it. There must be a data page. */
static inline int data_is_disabled(void)
{
	return data_page()->disabled != 0;
}

static inline int is_served(long clock)
{
	return clock >= 0 && clock < VDSO_ROWS && VDSO_CLOCKS >> clock & 1;
}

#endif
