/* SPDX-License-Identifier: MIT */
/* Numbers of Linux's system calls, for C and for assembly: arch/x86/entry/syscalls/syscall_64.tbl. */
#ifndef VDSO_NUMBERS_H
#define VDSO_NUMBERS_H

#define VDSO_NR_READ 0
#define VDSO_NR_WRITE 1
#define VDSO_NR_MPROTECT 10
#define VDSO_NR_RT_SIGACTION 13
#define VDSO_NR_RT_SIGPROCMASK 14
#define VDSO_NR_RT_SIGRETURN 15
#define VDSO_NR_SCHED_YIELD 24
#define VDSO_NR_GETPID 39
#define VDSO_NR_CLONE 56
#define VDSO_NR_EXIT 60
#define VDSO_NR_WAIT4 61
#define VDSO_NR_KILL 62
#define VDSO_NR_GETTIMEOFDAY 96
#define VDSO_NR_TIME 201
#define VDSO_NR_CLOCK_GETTIME 228
#define VDSO_NR_CLOCK_GETRES 229
#define VDSO_NR_EXIT_GROUP 231
#define VDSO_NR_PIPE2 293
#define VDSO_NR_GETCPU 309

#endif
