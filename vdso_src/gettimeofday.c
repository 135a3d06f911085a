/* SPDX-License-Identifier: MIT */
#include "abi.h"
#include "export.h"
#include "read.h"
#include "syscall.h"

#define REALTIME 0
#define THOUSANDTH 274877907 /* 2^38 / 1000, rounded up: exact below 4.9 * 10^9; gcc would divide */

/* The kernel answers for a time zone, and for a NULL `tv`. */
long VDSO_EXPORT(gettimeofday)(struct vdso_timeval *tv, void *tz)
{
	struct vdso_time now;

	if (!tv || tz || !vdso_time(REALTIME, &now))
		return vdso_syscall2(VDSO_NR_GETTIMEOFDAY, (long)tv, (long)tz);
	tv->sec = now.sec;
	tv->usec = (int64_t)(now.nsec * THOUSANDTH >> 38);
	__asm__ volatile("" ::: "memory"); /* sets the answer last: gcc would clear a0 early, and copy tv out of it */
	return 0;
}
