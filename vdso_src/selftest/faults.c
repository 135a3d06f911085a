/* SPDX-License-Identifier: MIT */
#include "faults.h"

#include "kernel.h"
#include "machine.h"
#include "tap.h"

#define CHILD_IS_FINE 42

static enum { BY_NOTHING, BY_HANDLER, BY_CHILD } way;

/* The state of a guarded job: 2 it runs, 1 its handler was called and changed the pc, 0 there is none. */
static volatile int guard;
static volatile int caught;
static int linux_frame;	   /* the third argument of a handler is as on Linux */
static int illegal_signal; /* the signal that an illegal instruction raises */
static volatile uint64_t handler_return;
static int handler_end; /* how the child ended that tried a handler */

static void on_harmless_signal(int signal, void *info, void *context)
{
	(void)signal, (void)info, (void)context;
	handler_return = (uint64_t)__builtin_return_address(0);
}

static void on_fault(int signal, void *info, void *context)
{
	uint64_t *pc = (uint64_t *)((char *)context + MACHINE_CONTEXT_PC);

	(void)info;
	if (!guard)
		tap_bail_out("signal %ld where no fault was expected", (long)signal);
	caught = signal;
	if (context && !illegal_signal)
		linux_frame = *pc == (uint64_t)machine_illegal;
	/* The handler had better return, and let the kernel end it, but that works only with a frame that the kernel heeds. */
	if (!linux_frame || guard == 1)
		guard_leave();
	guard = 1;
	*pc = (uint64_t)guard_leave;
}

static int guarded(job *run, uint64_t argument)
{
	int fault;

	guard = 2;
	fault = guard_enter(run, argument);
	guard = 0;
	return fault ? caught : CAME_BACK;
}

/* Returns CAME_BACK, KILLED or the signal, or NOT_TRIED where there are no child processes. */
static int in_child(job *run, uint64_t argument)
{
	long self = kernel_getpid(), child = kernel_fork();
	int status = -1;

	if (child == 0) {
		if (kernel_getpid() == self) /* clone does nothing but answer 0 */
			return NOT_TRIED;
		run(argument);
		kernel_exit(CHILD_IS_FINE);
	}
	if (child < 0 || kernel_wait(child, &status) != child)
		return NOT_TRIED;
	if (status == CHILD_IS_FINE << 8)
		return CAME_BACK;
	return status & 0x7f ? status & 0x7f : KILLED;
}

static void nothing(uint64_t unused)
{
	(void)unused;
}

static int install(int signal, void (*handler)(int, void *, void *))
{
	const struct machine_sigaction action = { .handler = handler, .flags = SA_SIGINFO | SA_NODEFER };

	return kernel_sigaction(signal, &action) == 0;
}

/* Sends a harmless signal. Sets handler_return. */
static void call_handler(uint64_t unused)
{
	int patience;

	(void)unused;
	if (!install(SIGURG, on_harmless_signal) || kernel_kill(kernel_getpid(), SIGURG) != 0)
		return;
	for (patience = 0; patience < 1000 && !handler_return; patience++)
		kernel_yield();
}

/* Sets illegal_signal and linux_frame. */
static void catch_illegal(uint64_t unused)
{
	(void)unused;
	if (install(SIGSEGV, on_fault) && install(SIGBUS, on_fault) && install(SIGILL, on_fault))
		illegal_signal = guarded(machine_illegal, 0);
}

static void catch_or_die(uint64_t unused)
{
	catch_illegal(unused);
	if (!illegal_signal)
		kernel_exit(1);
}

/* Tries both in a child process first, if there are any: some kernels can't do either. */
static int handlers_work(int children)
{
	if (children) {
		handler_end = in_child(call_handler, 0);
		if (handler_end != CAME_BACK)
			return 0;
	} else {
		tap_note("if the output ends here: a signal handler was called and could not return");
	}
	call_handler(0);
	if (!handler_return || (children && in_child(catch_or_die, 0) != CAME_BACK))
		return 0;
	if (!children)
		tap_note("if the output ends here: SIGILL does not reach its handler; run me with `nofaults`");
	catch_illegal(0);
	return illegal_signal != 0;
}

void faults_learn(int allowed)
{
	int children = allowed && in_child(nothing, 0) == CAME_BACK;

	if (!allowed) {
		tap_note("no fault is made, as you said");
	} else if (handlers_work(children)) {
		way = BY_HANDLER;
		tap_note("faults are caught by a signal handler");
	} else if (children) {
		way = BY_CHILD;
		illegal_signal = in_child(machine_illegal, 0);
		tap_note("faults are made in child processes, as no signal handler catches them");
	} else {
		tap_note("faults can't be tried: neither signal handlers nor child processes");
	}
}

int fault_of(job *run, uint64_t argument)
{
	if (way == BY_HANDLER)
		return guarded(run, argument);
	return way == BY_CHILD ? in_child(run, argument) : NOT_TRIED;
}

int fault_risked(const char *what, job *run, uint64_t argument)
{
	int fault = fault_of(run, argument);

	if (way == BY_HANDLER || fault > CAME_BACK)
		return fault;
	if (fault == NOT_TRIED)
		tap_note("if the output ends here: %s", what);
	run(argument);
	return CAME_BACK;
}

int faults_differ(void)
{
	return illegal_signal == SIGILL;
}

int faults_handler(void)
{
	return handler_end || handler_return ? handler_end : NOT_TRIED;
}

uint64_t faults_handler_return(void)
{
	return handler_return;
}
