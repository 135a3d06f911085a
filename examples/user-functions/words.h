/* SPDX-License-Identifier: MIT */
/* The words of the kernel's own part of the data page. vdso_kernel.c and vdso_kernel.rs write them. */
#ifndef WORDS_H
#define WORDS_H

#define WORD_ONLY_CPU 0	   /* number of the one CPU that runs programs, plus 1; 0: there are more, or it is not known */
#define WORD_TIMEBASE_HZ 1 /* ticks of the counter in a second; 0: not known */

#endif
