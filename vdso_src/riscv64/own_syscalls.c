/* SPDX-License-Identifier: MIT */
/* Like syscalls.c, for the exports that only RISC-V has. */
#include "export.h"
#include "syscall.h"

long VDSO_EXPORT(syscall_riscv_hwprobe)(void *pairs, unsigned long pair_count, unsigned long cpusetsize, void *cpus,
				       unsigned long flags)
{
	return vdso_syscall5(VDSO_NR_RISCV_HWPROBE, (long)pairs, (long)pair_count, (long)cpusetsize, (long)cpus,
			     (long)flags);
}

long VDSO_EXPORT(syscall_flush_icache)(void *start, void *end, unsigned long flags)
{
	return vdso_syscall3(VDSO_NR_RISCV_FLUSH_ICACHE, (long)start, (long)end, (long)flags);
}
