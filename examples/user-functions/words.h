/* SPDX-License-Identifier: MIT */
/* Which word of the kernel's own part of the data page is what. The kernel writes them: vdso_kernel.c, vdso_kernel.rs. */
#ifndef WORDS_H
#define WORDS_H

#define WORD_ONLY_CPU 0	   /* number of the one CPU that runs programs, plus 1; 0: there are more, or nobody has said */
#define WORD_TIMEBASE_HZ 1 /* ticks of the counter in a second; 0: nobody has said */

#endif
