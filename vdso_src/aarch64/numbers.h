/* SPDX-License-Identifier: MIT */
/* Numbers of Linux's system calls, for C and for assembly. */
#ifndef VDSO_NUMBERS_H
#define VDSO_NUMBERS_H

#include "generic_numbers.h"

#endif
