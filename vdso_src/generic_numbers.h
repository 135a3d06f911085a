/* SPDX-License-Identifier: MIT */
/* Numbers of system calls that Linux gives all younger architectures: include/uapi/asm-generic/unistd.h. */
#ifndef VDSO_GENERIC_NUMBERS_H
#define VDSO_GENERIC_NUMBERS_H

#define VDSO_NR_PIPE2 59
#define VDSO_NR_READ 63
#define VDSO_NR_WRITE 64
#define VDSO_NR_EXIT 93
#define VDSO_NR_EXIT_GROUP 94
#define VDSO_NR_CLOCK_GETTIME 113
#define VDSO_NR_CLOCK_GETRES 114
#define VDSO_NR_SCHED_YIELD 124
#define VDSO_NR_KILL 129
#define VDSO_NR_RT_SIGACTION 134
#define VDSO_NR_RT_SIGPROCMASK 135
#define VDSO_NR_RT_SIGRETURN 139
#define VDSO_NR_GETCPU 168
#define VDSO_NR_GETTIMEOFDAY 169
#define VDSO_NR_GETPID 172
#define VDSO_NR_CLONE 220
#define VDSO_NR_MPROTECT 226
#define VDSO_NR_WAIT4 260

#endif
