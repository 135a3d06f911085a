/* SPDX-License-Identifier: MIT */
/* The system calls that the selftest makes. The kernel may lack any of them: -ENOSYS is an answer, too. */
#ifndef SELFTEST_KERNEL_H
#define SELFTEST_KERNEL_H

#include <stdint.h>

#include "abi.h"
#include "machine.h"
#include "syscall.h"

#define ECHILD 10
#define EFAULT 14
#define EINVAL 22
#define ENOSYS 38

#define SIGILL 4
#define SIGBUS 7
#define SIGKILL 9
#define SIGSEGV 11
#define SIGCHLD 17
#define SIGURG 23 /* ignored by default: it does no harm if a kernel forgot the handler */

#define PROT_READ 1
#define PROT_WRITE 2

static inline long kernel_pipe(int files[2])
{
	return vdso_syscall2(VDSO_NR_PIPE2, (long)files, 0);
}

static inline long kernel_read(int file, uint64_t to, long length)
{
	return vdso_syscall3(VDSO_NR_READ, file, (long)to, length);
}

static inline long kernel_write(int file, const char *bytes, long length)
{
	return vdso_syscall3(VDSO_NR_WRITE, file, (long)bytes, length);
}

static inline void __attribute__((noreturn)) kernel_exit(int status)
{
	vdso_syscall2(VDSO_NR_EXIT_GROUP, status, 0);
	for (;;) /* a kernel without threads may have no exit_group */
		vdso_syscall2(VDSO_NR_EXIT, status, 0);
}

static inline long kernel_getpid(void)
{
	return vdso_syscall2(VDSO_NR_GETPID, 0, 0);
}

static inline long kernel_kill(long process, int signal)
{
	return vdso_syscall2(VDSO_NR_KILL, process, signal);
}

static inline long kernel_fork(void)
{
	return vdso_syscall5(VDSO_NR_CLONE, SIGCHLD, 0, 0, 0, 0);
}

#define WNOHANG 1

static inline long kernel_wait(long process, int *status, long options)
{
	return vdso_syscall5(VDSO_NR_WAIT4, process, (long)status, options, 0, 0);
}

static inline void kernel_yield(void)
{
	vdso_syscall2(VDSO_NR_SCHED_YIELD, 0, 0);
}

static inline long kernel_mprotect(uint64_t address, long length, long protection)
{
	return vdso_syscall3(VDSO_NR_MPROTECT, (long)address, length, protection);
}

static inline long kernel_clock_gettime(long clock, struct vdso_timespec *time)
{
	return vdso_syscall2(VDSO_NR_CLOCK_GETTIME, clock, (long)time);
}

static inline long kernel_clock_getres(long clock, struct vdso_timespec *time)
{
	return vdso_syscall2(VDSO_NR_CLOCK_GETRES, clock, (long)time);
}

static inline long kernel_gettimeofday(struct vdso_timeval *time, void *zone)
{
	return vdso_syscall2(VDSO_NR_GETTIMEOFDAY, (long)time, (long)zone);
}

/* include/uapi/asm-generic/signal.h */
#define SA_SIGINFO 4
#define SA_NODEFER 0x40000000

static inline long kernel_sigaction(int signal, const struct machine_sigaction *action)
{
	return vdso_syscall5(VDSO_NR_RT_SIGACTION, signal, (long)action, 0, sizeof(action->mask), 0);
}

#define SIG_SETMASK 2

/* Sets the blocked signals and tells the old ones; either may be NULL. */
static inline long kernel_sigmask(const uint64_t *set, uint64_t *old)
{
	return vdso_syscall5(VDSO_NR_RT_SIGPROCMASK, SIG_SETMASK, (long)set, (long)old, sizeof(uint64_t), 0);
}

#endif
