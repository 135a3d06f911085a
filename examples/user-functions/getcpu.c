/* SPDX-License-Identifier: MIT */
/*
 * Replaces the base's getcpu(2). Programs can't read which hart they run on, and the page is the same on all harts. But if one
 * CPU runs all programs, the kernel can say so in the page. Otherwise this is the system call.
 */
#include "vdso_stub.h"
#include "words.h"

long VDSO_EXPORT(getcpu)(unsigned *cpu, unsigned *node, void *unused)
{
	uint64_t only = vdso_extra(WORD_ONLY_CPU);

	if (!only)
		return vdso_syscall3(VDSO_NR_GETCPU, (long)cpu, (long)node, (long)unused);
	if (cpu)
		*cpu = (unsigned)(only - 1);
	if (node)
		*node = 0;
	return 0;
}
