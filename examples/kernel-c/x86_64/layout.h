/* SPDX-License-Identifier: MIT */
/* Where the kernel sees what, for C and for assembly. kernel.lds knows it too. */
#ifndef LAYOUT_H
#define LAYOUT_H

/* The first GiB of physical addresses, with all memory; and behind it the fourth, with the devices. Programs have the lower half. */
#define KERNEL_BASE 0xffffffff80000000
#define DEVICES_SHIFT 0xffffffff00000000 /* from a physical address of a device to where the kernel sees it */

#define TRAMPOLINE 0x8000 /* physical: where a CPU starts, in real mode */

/* Segments: sysret takes the program's data from 8, and its code from 16, behind the one before them. */
#define KERNEL_CODE 0x08
#define KERNEL_DATA 0x10
#define USER_DATA (0x18 | 3)
#define USER_CODE (0x20 | 3)
#define TASKS 0x28 /* of each CPU a descriptor of 16 bytes */

/* Vectors from 32 on are interrupts. */
#define VECTOR_TIMER 32
#define VECTOR_WAKE 33
#define VECTOR_SPURIOUS 47
#define VECTORS 48
#define VECTOR_SYSCALL 256 /* what a thread's record has where no vector was */

#endif
