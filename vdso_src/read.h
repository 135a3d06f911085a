/* SPDX-License-Identifier: MIT */
/*
 * The stubs get the time in one of two ways, from the data page or from the counter alone, by the same two functions:
 *
 *	vdso_time(clock, &now)		1 and the time; 0: ask the kernel
 *	vdso_resolution(clock, &nsec)	1 and the resolution; 0: ask the kernel
 */
#ifndef VDSO_READ_H
#define VDSO_READ_H

#include <stdint.h>

struct vdso_time {
	int64_t sec;
	uint64_t nsec;
};

#ifdef VDSO_DATA_PAGE_NONE
#include "read_counter.h"
#else
#include "read_page.h"
#endif

#endif
