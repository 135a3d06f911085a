/* SPDX-License-Identifier: MIT */
/* What the launcher of programs can't say in C. */
#ifndef LAUNCH_H
#define LAUNCH_H

#include <stdint.h>

#define LAUNCH_MACHINE 62 /* EM_X86_64 */

/* Goes to `entry` with another stack, and with 0 in rdx: no function for the program's end. */
static inline void launch_enter(uint64_t *stack, uint64_t entry)
{
	__asm__ __volatile__("mov %0, %%rsp\n\txor %%edx, %%edx\n\txor %%ebp, %%ebp\n\tjmp *%1" ::"r"(stack), "a"(entry) : "rdx", "memory");
}

#endif
