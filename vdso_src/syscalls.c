/* SPDX-License-Identifier: MIT */
/*
 * Exports with the policy `syscall`: each makes the plain system call of the same number. Each is a section of its own, and
 * only those that an image needs are linked. Exports of one architecture alone are in its folder, in own_syscalls.c.
 */
#include "export.h"
#include "syscall.h"

long VDSO_EXPORT(syscall_clock_gettime)(int clock, void *tp)
{
	return vdso_syscall2(VDSO_NR_CLOCK_GETTIME, clock, (long)tp);
}

long VDSO_EXPORT(syscall_clock_getres)(int clock, void *res)
{
	return vdso_syscall2(VDSO_NR_CLOCK_GETRES, clock, (long)res);
}

long VDSO_EXPORT(syscall_gettimeofday)(void *tv, void *tz)
{
	return vdso_syscall2(VDSO_NR_GETTIMEOFDAY, (long)tv, (long)tz);
}

long VDSO_EXPORT(syscall_getcpu)(unsigned *cpu, unsigned *node, void *unused)
{
	return vdso_syscall3(VDSO_NR_GETCPU, (long)cpu, (long)node, (long)unused);
}
