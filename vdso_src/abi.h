/* SPDX-License-Identifier: MIT */
/* The structures that programs pass to the vDSO of a 64-bit Linux (include/uapi/linux/time_types.h, time.h). */
#ifndef VDSO_ABI_H
#define VDSO_ABI_H

#include <stdint.h>

struct vdso_timespec {
	int64_t sec;
	int64_t nsec;
};

struct vdso_timeval {
	int64_t sec;
	int64_t usec;
};

#endif
