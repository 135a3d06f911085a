/* SPDX-License-Identifier: MIT */
/* Numbers of Linux, include/uapi/asm-generic/unistd.h; those of the exports stand in syscall.h. */
#ifndef SELFTEST_NUMBERS_H
#define SELFTEST_NUMBERS_H

#define NR_WRITE 64
#define NR_EXIT 93
#define NR_EXIT_GROUP 94
#define NR_SCHED_YIELD 124
#define NR_KILL 129
#define NR_RT_SIGACTION 134
#define NR_GETPID 172
#define NR_CLONE 220
#define NR_MPROTECT 226
#define NR_WAIT4 260

#endif
