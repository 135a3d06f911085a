/* SPDX-License-Identifier: MIT */
/*
 * Signal handlers return through rt_sigreturn of the vDSO: the C library names no restorer, so the kernel says where to.
 * What only one architecture has stands in signals.h of tests/arch.
 *
 * The last line says where the handlers returned to, as an offset from AT_SYSINFO_EHDR (0 without one):
 *
 *	ok handlers=N return=OFFSET
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <unwind.h>
#endif

#include "signals.h"

static volatile uintptr_t returns_to;
static volatile int handlers;

static void check(int good, const char *what)
{
	if (good)
		return;
	printf("wrong: %s (errno %d)\n", what, errno);
	fflush(stdout);
	_exit(1);
}

/* All handlers must return to the same place. */
static void note(void *return_address)
{
	check(!returns_to || returns_to == (uintptr_t)return_address, "handlers return to different places");
	returns_to = (uintptr_t)return_address;
	handlers++;
}

static int blocked(int number)
{
	sigset_t mask;

	check(!sigprocmask(SIG_SETMASK, NULL, &mask), "sigprocmask");
	return sigismember(&mask, number);
}

static void on_usr1(int number)
{
	note(__builtin_return_address(0));
	check(number == SIGUSR1, "another number");
	check(blocked(SIGUSR1) == 1, "a signal is not blocked in its own handler");
	if (handlers == 1)
		check(!raise(SIGUSR2), "raise inside of a handler");
}

static void on_usr2(int number, siginfo_t *info, void *context)
{
	note(__builtin_return_address(0));
	check(number == SIGUSR2 && info->si_signo == SIGUSR2, "another number");
	check(info->si_pid == getpid(), "si_pid");
	check(context != NULL, "no context");
}

/* Goes on behind the instruction, with another value in the register that it was to load. */
static void on_segv(int number, siginfo_t *info, void *context)
{
	note(__builtin_return_address(0));
	check(number == SIGSEGV && info->si_addr == (void *)8, "si_addr");
	context_go_on(context, 4711);
}

/* A signal between two instructions leaves every register as it was: here those that the calls between do not use. */
static void check_registers(void)
{
	long t, s, f;

	check(!send_amid(getpid(), syscall(SYS_gettid), SIGUSR1, &t, &s, &f), "tgkill");
	check(t == 33 && s == 44 && f == 77, "a register changed");
}

#ifdef __GLIBC__
struct trace {
	int frames, sigreturn, main;
};

int main(void);

static _Unwind_Reason_Code visit(struct _Unwind_Context *context, void *argument)
{
	struct trace *trace = argument;

	trace->frames++;
	if (_Unwind_GetIP(context) == returns_to)
		trace->sigreturn = trace->frames;
	if (_Unwind_FindEnclosingFunction((void *)_Unwind_GetIP(context)) == (void *)main)
		trace->main = trace->frames;
	return _URC_NO_REASON;
}

/* Unwinders come from a handler to rt_sigreturn, from there to the function that was interrupted, and to its callers. */
static void unwind(void)
{
	struct trace trace = {0};

	_Unwind_Backtrace(visit, &trace);
	check(trace.sigreturn, "no unwinder comes from a handler to rt_sigreturn");
	check(trace.main > trace.sigreturn, "no unwinder comes from rt_sigreturn to main");
}
#else
static void unwind(void) {} /* musl has no unwinder */
#endif

static void on_trap(int number)
{
	note(__builtin_return_address(0));
	check(number == SIGTRAP, "another number");
	unwind();
}

static void handle(int number, void (*handler)(int), void (*long_handler)(int, siginfo_t *, void *))
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	if (handler) {
		action.sa_handler = handler;
	} else {
		action.sa_sigaction = long_handler;
		action.sa_flags = SA_SIGINFO;
	}
	check(!sigaction(number, &action, NULL), "sigaction");
}

int main(void)
{
	uintptr_t vdso = getauxval(AT_SYSINFO_EHDR);

	handle(SIGUSR1, on_usr1, NULL);
	handle(SIGUSR2, NULL, on_usr2);
	handle(SIGSEGV, NULL, on_segv);
	handle(SIGTRAP, on_trap, NULL);
	check(!raise(SIGUSR1), "raise");
	check(handlers == 2, "a signal in a handler was not delivered");
	check(blocked(SIGUSR1) == 0, "the mask is not what it was");
	check_registers();
	check(handlers == 3, "tgkill delivered nothing");
	check(fault() == 4711, "the changed context is not what went on");
	check(!raise(SIGTRAP), "raise");
	check(handlers == 5, "a handler did not run");
	printf("ok handlers=%d return=%#lx\n", handlers, (unsigned long)(vdso ? returns_to - vdso : 0));
	return 0;
}
