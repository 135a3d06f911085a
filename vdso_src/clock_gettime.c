/* SPDX-License-Identifier: MIT */
#include "abi.h"
#include "export.h"
#include "read.h"
#include "syscall.h"

long VDSO_EXPORT(clock_gettime)(int clock, struct vdso_timespec *tp)
{
	struct vdso_time now;

	__asm__("" : "+r"(tp)); /* pins tp to its register: gcc would copy it at entry, for the system call */
	if (!vdso_time(clock, &now))
		return vdso_syscall2(VDSO_NR_CLOCK_GETTIME, clock, (long)tp);
	tp->sec = now.sec;
	tp->nsec = (int64_t)now.nsec;
	return 0;
}
