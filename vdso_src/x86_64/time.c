/* SPDX-License-Identifier: MIT */
#include "abi.h"
#include "export.h"
#include "read.h"
#include "syscall.h"

#define REALTIME_COARSE 5 /* what time(2) reads; its row is at the tick where the kernel has one */

/* A NULL `out` is legal. */
long VDSO_EXPORT(time)(int64_t *out)
{
	struct vdso_time now;

	if (!vdso_time(REALTIME_COARSE, &now))
		return vdso_syscall1(VDSO_NR_TIME, (long)out);
	if (out)
		*out = now.sec;
	return now.sec;
}
