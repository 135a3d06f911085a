/* SPDX-License-Identifier: MIT */
/* Like syscalls.c, for the exports that only x86-64 has. */
#include <stdint.h>

#include "export.h"
#include "syscall.h"

long VDSO_EXPORT(syscall_time)(int64_t *out)
{
	return vdso_syscall1(VDSO_NR_TIME, (long)out);
}
