/* SPDX-License-Identifier: MIT */
#include "faults.h"

#include "image.h"
#include "kernel.h"
#include "machine.h"
#include "start.h"

/* Exit statuses of a child. */
#define CHILD_IS_FINE 42
#define CHILD_HANDLED 43 /* its signal handler was called, and ended it */

/* Faults that are no signal. */
#define ENDED 0x100	       /* a child ended otherwise; its wait status, all 32 bits, is added */
#define DID_NOT_END (1l << 40) /* a child ran on and on, and was killed */

#define CHILD_TURNS 200000 /* the parent looks so often whether a child has ended */
#define SIGNAL_TURNS 1000  /* a process yields so often for a signal that it has sent */

#define NO_ADDRESS (-(uint64_t)PAGE) /* user space ends below this address */

static enum { BY_NOTHING, BY_HANDLER, BY_CHILD } way;
static int forbidden;

/* The reason why there are none: the call that failed, and its answer. */
static struct lack {
	const char *call;
	long answer;
} no_children, no_handlers;

/* The state of a guarded job: 2 it runs, 1 its handler was called and changed the pc, 0 there is none. */
static volatile int guard;
static volatile int caught;
static int linux_frame; /* the third argument of a handler is as on Linux */
static long illegal_signal, memory_signal; /* the signals of an illegal instruction and of a page that is not there */

struct handler handler = { NOT_TRIED, 0, 0, 0 };

const char *fault_verb(long fault)
{
	if (fault == DID_NOT_END)
		return "does not end; yields waited:";
	return fault < ENDED ? "raises signal" : "ends its process with wait status";
}

long fault_number(long fault)
{
	if (fault == DID_NOT_END)
		return CHILD_TURNS;
	return fault < ENDED ? fault : fault - ENDED;
}

static void lacks(struct lack *thing, const char *call, long answer)
{
	thing->call = call;
	thing->answer = answer;
}

/* Returns `child` once it has ended, else the last answer of wait4. This may tell of another child first: some kernels tell
 * twice of one that ended before. */
static long wait_for(long child, int *status)
{
	long turn, answer = 0;

	for (turn = 0; turn < CHILD_TURNS; turn++) {
		answer = kernel_wait(child, status, WNOHANG);
		if (answer == child || answer == -ENOSYS || answer == -EINVAL || answer == -ECHILD)
			break;
		kernel_yield();
	}
	if (answer == -EINVAL) /* it knows no WNOHANG */
		for (turn = 0; turn < SIGNAL_TURNS && answer != child; turn++)
			answer = kernel_wait(child, status, 0);
	return answer;
}

/* Runs the job in a child process. Returns how that ended, or NOT_TRIED where there are no child processes. */
static long in_child(job *run, uint64_t argument)
{
	long self = kernel_getpid(), child, answer;
	int status = -1;

	if (self < 0) { /* a child could not be told from its parent */
		lacks(&no_children, "getpid answers", self);
		return NOT_TRIED;
	}
	child = kernel_fork();
	if (child == 0 && kernel_getpid() != self) {
		run(argument);
		kernel_exit(CHILD_IS_FINE);
	}
	if (child <= 0) {
		lacks(&no_children, child ? "clone answers" : "clone makes no process and answers", child);
		return NOT_TRIED;
	}
	answer = wait_for(child, &status);
	if (answer == 0) {
		kernel_kill(child, SIGKILL);
		wait_for(child, &status);
		return DID_NOT_END;
	}
	if (answer != child) {
		lacks(&no_children, "wait4 answers", answer);
		return NOT_TRIED;
	}
	if (status == CHILD_IS_FINE << 8)
		return CAME_BACK;
	return status & 0x7f ? status & 0x7f : ENDED + (long)(unsigned)status;
}

static void nothing(uint64_t unused)
{
	(void)unused;
}

static long install(int signal, void (*handle)(int, void *, void *))
{
	const struct machine_sigaction action = machine_action(handle, SA_SIGINFO | SA_NODEFER);

	return kernel_sigaction(signal, &action);
}

/* ---- A harmless signal: is its handler called, and can it return? ---- */

static volatile int leaves; /* the handler ends its process in place of a return */

static void on_harmless_signal(int signal, void *info, void *context)
{
	(void)signal, (void)info, (void)context;
	if (leaves)
		kernel_exit(CHILD_HANDLED);
	handler.returns_to = (uint64_t)__builtin_return_address(0);
}

/* Sends a harmless signal to this process. Sets handler.returns_to if its handler was called and came back. */
static void send(uint64_t leave)
{
	long turn, answer = install(SIGURG, on_harmless_signal);

	leaves = (int)leave;
	if (answer != 0) {
		lacks(&no_handlers, "rt_sigaction answers", answer);
		return;
	}
	answer = kernel_kill(kernel_getpid(), SIGURG);
	if (answer != 0) {
		lacks(&no_handlers, "kill answers", answer);
		return;
	}
	for (turn = 0; turn < SIGNAL_TURNS && !*(volatile uint64_t *)&handler.returns_to; turn++)
		kernel_yield();
	if (!handler.returns_to)
		lacks(&no_handlers, "kill calls no handler and answers", 0);
}

/* Tries it in child processes first, if there are any: some kernels can't do it. */
static int handlers_return(int children)
{
	long fault;

	if (children) {
		fault = in_child(send, 1);
		if (fault != CAME_BACK && fault != ENDED + (CHILD_HANDLED << 8)) {
			lacks(&no_handlers, "kill calls no handler, and its process ends: signal or wait status", fault_number(fault));
			return 0;
		}
		if (fault != CAME_BACK) {
			handler.fault = in_child(send, 0);
			if (handler.fault != CAME_BACK) {
				lacks(&no_handlers, "a handler can't return; signal or wait status", fault_number(handler.fault));
				return 0;
			}
		}
	}
	kernel_sigmask(0, &handler.mask);
	send(0);
	if (!handler.returns_to)
		return 0;
	kernel_sigmask(0, &handler.after);
	if (handler.after != handler.mask)
		kernel_sigmask(&handler.mask, 0);
	handler.fault = CAME_BACK;
	lacks(&no_handlers, "a handler's return leaves the signal mask", (long)handler.after);
	return handler.after == handler.mask;
}

/* ---- Faults: are they caught by a handler? ---- */

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

static long guarded(job *run, uint64_t argument)
{
	uint64_t mask = 0;
	int fault, known = kernel_sigmask(0, &mask) == 0;

	guard = 2;
	fault = guard_enter(run, argument);
	guard = 0;
	if (fault && known) /* where the kernel ignores SA_NODEFER, the signal of a handler that was left is still blocked */
		kernel_sigmask(&mask, 0);
	return fault ? caught : CAME_BACK;
}

static void read_nowhere(uint64_t unused)
{
	(void)unused;
	(void)*(volatile const char *)NO_ADDRESS;
}

/* Sets illegal_signal, memory_signal and linux_frame. */
static void catch_faults(uint64_t unused)
{
	(void)unused;
	if (install(SIGSEGV, on_fault) || install(SIGBUS, on_fault) || install(SIGILL, on_fault))
		return;
	illegal_signal = guarded(machine_illegal, 0);
	if (illegal_signal)
		memory_signal = guarded(read_nowhere, 0);
}

static void catch_or_die(uint64_t unused)
{
	catch_faults(unused);
	if (!memory_signal)
		kernel_exit(1);
}

static int handlers_catch(int children)
{
	long fault = children ? in_child(catch_or_die, 0) : CAME_BACK;

	if (fault == CAME_BACK)
		catch_faults(0);
	if (memory_signal)
		return 1;
	lacks(&no_handlers, "a fault calls no handler; signal or wait status", fault_number(fault));
	return 0;
}

static int handlers_work(int children)
{
	tap_note("a signal handler is called: if the output ends here, it could not return");
	if (!handlers_return(children))
		return 0;
	tap_note("an illegal instruction is run, and an address outside of user space is read: if the output ends here, no\n"
		 "handler catches it; run me with `nofaults`");
	return handlers_catch(children);
}

void faults_learn(int allowed)
{
	int children;

	forbidden = !allowed;
	if (!allowed) {
		tap_note("no fault is made, as you said");
		return;
	}
	children = in_child(nothing, 0) == CAME_BACK;
	if (handlers_work(children)) {
		way = BY_HANDLER;
		tap_note("faults are caught by a signal handler");
	} else if (children) {
		tap_note("faults are made in child processes, as no signal handler catches them: if the output ends here, the\n"
			 "kernel does not survive them; run me with `nofaults`");
		way = BY_CHILD;
		illegal_signal = in_child(machine_illegal, 0);
		memory_signal = in_child(read_nowhere, 0);
	} else {
		tap_note("faults can't be tried: no signal handler catches them (%s %ld), and there is no child process to make\n"
			 "them in (%s %ld)",
			 no_handlers.call, no_handlers.answer, no_children.call, no_children.answer);
	}
}

long fault_of(job *run, uint64_t argument)
{
	if (way == BY_HANDLER)
		return guarded(run, argument);
	return way == BY_CHILD ? in_child(run, argument) : NOT_TRIED;
}

long fault_risked(const char *what, job *run, uint64_t argument)
{
	long fault = fault_of(run, argument);

	if (way == BY_HANDLER || fault > CAME_BACK)
		return fault;
	if (fault == NOT_TRIED && what)
		tap_note("if the output ends here: %s", what);
	run(argument);
	return CAME_BACK;
}

int faults_forbidden(void)
{
	return forbidden;
}

enum verdict fault_untried(void)
{
	if (forbidden)
		return skip("no fault is made, as you said");
	return skip("no signal handler catches a fault (%s %ld), and there is no child process to make it in (%s %ld)",
		    no_handlers.call, no_handlers.answer, no_children.call, no_children.answer);
}

enum verdict handler_untried(void)
{
	return forbidden ? skip("no fault is made, as you said") : skip("%s %ld", no_handlers.call, no_handlers.answer);
}

int faults_differ(void)
{
	return illegal_signal == SIGILL && memory_signal != SIGILL;
}
