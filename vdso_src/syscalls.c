/* SPDX-License-Identifier: MIT */
/*
 * Exports with the policy `syscall`: a plain system call of the same number. Each is its own section, and only those
 * that an image needs are linked.
 */
#include "syscall.h"

long __vdso_syscall_clock_gettime(int clock, void *tp)
{
	return vdso_syscall2(VDSO_NR_CLOCK_GETTIME, clock, (long)tp);
}

long __vdso_syscall_clock_getres(int clock, void *res)
{
	return vdso_syscall2(VDSO_NR_CLOCK_GETRES, clock, (long)res);
}

long __vdso_syscall_gettimeofday(void *tv, void *tz)
{
	return vdso_syscall2(VDSO_NR_GETTIMEOFDAY, (long)tv, (long)tz);
}

long __vdso_syscall_getcpu(unsigned *cpu, unsigned *node, void *unused)
{
	return vdso_syscall3(VDSO_NR_GETCPU, (long)cpu, (long)node, (long)unused);
}

long __vdso_syscall_riscv_hwprobe(void *pairs, unsigned long pair_count, unsigned long cpusetsize, void *cpus,
				  unsigned long flags)
{
	return vdso_syscall5(VDSO_NR_RISCV_HWPROBE, (long)pairs, (long)pair_count, (long)cpusetsize, (long)cpus,
			     (long)flags);
}

long __vdso_syscall_flush_icache(void *start, void *end, unsigned long flags)
{
	return vdso_syscall3(VDSO_NR_RISCV_FLUSH_ICACHE, (long)start, (long)end, (long)flags);
}
