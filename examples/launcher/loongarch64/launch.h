/* SPDX-License-Identifier: MIT */
/* What the launcher of programs can't say in C. */
#ifndef LAUNCH_H
#define LAUNCH_H

#include <stdint.h>

#define LAUNCH_MACHINE 258 /* EM_LOONGARCH */

/* Goes to `entry` with another stack, and with 0 in the register of the first argument. */
static inline void launch_enter(uint64_t *stack, uint64_t entry)
{
	__asm__ __volatile__("move $sp, %0\n\tmove $a0, $zero\n\tjr %1" ::"r"(stack), "r"(entry) : "$a0", "memory");
}

#endif
