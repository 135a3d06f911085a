/* SPDX-License-Identifier: MIT */
#include "abi.h"
#include "export.h"
#include "read.h"
#include "syscall.h"

/* A NULL `res` is legal: it asks whether the clock is there. */
long VDSO_EXPORT(clock_getres)(int clock, struct vdso_timespec *res)
{
	uint64_t nsec;

	__asm__("" : "+r"(res)); /* pins res to its register: gcc would copy it at entry, for the system call */
	if (!vdso_resolution(clock, &nsec))
		return vdso_syscall2(VDSO_NR_CLOCK_GETRES, clock, (long)res);
	if (res) {
		res->sec = 0;
		res->nsec = (int64_t)nsec;
	}
	return 0;
}
