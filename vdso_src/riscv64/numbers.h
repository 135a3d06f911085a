/* SPDX-License-Identifier: MIT */
/* Numbers of Linux's system calls, for C and for assembly. */
#ifndef VDSO_NUMBERS_H
#define VDSO_NUMBERS_H

#include "generic_numbers.h"

/* arch/riscv/include/uapi/asm/unistd.h */
#define VDSO_NR_RISCV_HWPROBE 258
#define VDSO_NR_RISCV_FLUSH_ICACHE 259

#endif
