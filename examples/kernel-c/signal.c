/* SPDX-License-Identifier: MIT */
/* Signals, with the frame of Linux, which C libraries know. */
#include "kernel.h"

#define SIGNALS 64
#define SIG_DFL 0
#define SIG_IGN 1
#define SA_ONSTACK 0x08000000ul
#define SA_NODEFER 0x40000000ul
#define SA_RESETHAND 0x80000000ul
#define SI_USER 0
#define SI_TKILL (-6)
#define SS_ONSTACK 1
#define SS_DISABLE 2
#define PROCESS_ID 1
#define BIT(signal) (1ul << ((signal) - 1))
#define UNBLOCKABLE (BIT(SIGKILL) | BIT(19 /* SIGSTOP */))
/* Ignored by default: SIGCHLD, SIGCONT, SIGURG, SIGWINCH. All others end the program by default. */
#define IGNORED (BIT(17) | BIT(18) | BIT(23) | BIT(28))

enum { BLOCK, UNBLOCK, SETMASK };

struct info {
	int32_t signal, error, code, pad;
	uint64_t address; /* of a fault; otherwise the sender's process id, and user id 0 */
	uint8_t rest[104];
};

uint64_t sigreturn_address;

#include "frame.h"
_Static_assert(sizeof(struct info) == 128, "Linux's siginfo_t");

static struct action actions[SIGNALS + 1];
static uint64_t process_pending;

/* Tells whether there is a signal to deliver. Under thread_lock. */
int signal_waits(const struct thread *thread)
{
	return ((thread->pending | process_pending) & ~thread->blocked) != 0;
}

static int is_ignored(int signal)
{
	uint64_t handler = actions[signal].handler;

	return handler == SIG_IGN || (handler == SIG_DFL && BIT(signal) & IGNORED);
}

/* Ends the program by a signal. */
void signal_kill(const struct thread *thread, int signal)
{
	print("program: thread %d killed by signal %d at pc %lx\n", thread->tid, signal, thread->regs[PC]);
	program_end(128 + signal);
}

/* Tells whether the thread runs on its stack for handlers. */
static int on_handlers(const struct thread *thread)
{
	return thread->regs[SP] - thread->handlers.start - 1 < thread->handlers.size;
}

/* Returns the stack for handlers as sigaltstack() tells it. */
static struct stack stack_of(const struct thread *thread)
{
	struct stack stack = thread->handlers;

	stack.flags = !stack.size ? SS_DISABLE : on_handlers(thread) ? SS_ONSTACK : 0;
	return stack;
}

/*
 * Lets the thread go on in its handler, which returns through a frame on its stack. frame.h says what the frame is, how many
 * bytes below the stack's pointer belong to the code that was interrupted (RED_ZONE), and how many a return takes (RETURN_SLOT).
 */
static void enter(struct thread *thread, int signal, int code, uint64_t address)
{
	struct frame frame = {
		.info = {.signal = signal, .code = code, .address = address},
		.stack = stack_of(thread),
		.mask = thread->blocked,
	};
	uint64_t sp = thread->regs[SP] - RED_ZONE;
	struct action action;

	if (actions[signal].flags & SA_ONSTACK && thread->handlers.size && !on_handlers(thread))
		sp = thread->handlers.start + thread->handlers.size;
	sp = ((sp - sizeof(frame)) & -16ul) - RETURN_SLOT;
	lock(&thread_lock);
	action = actions[signal];
	if (action.flags & SA_RESETHAND)
		actions[signal].handler = SIG_DFL;
	thread->blocked |= (action.mask | (action.flags & SA_NODEFER ? 0 : BIT(signal))) & ~UNBLOCKABLE;
	unlock(&thread_lock);
	fp_sync(thread);
	frame_fill(&frame, thread, sp, action_return(&action));
	if (copy_out(sp, &frame, sizeof(frame)))
		signal_kill(thread, SIGSEGV);
	thread->regs[PC] = action.handler;
	thread->regs[SP] = sp;
	thread->regs[A0] = (uint64_t)signal;
	thread->regs[A1] = sp + offsetof(struct frame, info);
	thread->regs[A2] = sp + offsetof(struct frame, flags);
}

/* Delivers signals on the way to user mode. */
void signal_deliver(struct thread *thread)
{
	for (;;) {
		lock(&thread_lock);
		uint64_t waiting = (thread->pending | process_pending) & ~thread->blocked;
		int signal = waiting ? lowest_bit(waiting) + 1 : 0;
		int own = signal && thread->pending & BIT(signal);
		if (own)
			thread->pending &= ~BIT(signal);
		else if (signal)
			process_pending &= ~BIT(signal);
		int ignored = signal && is_ignored(signal);
		uint64_t handler = actions[signal].handler;
		unlock(&thread_lock);

		if (!signal)
			return;
		if (ignored)
			continue;
		if (handler == SIG_DFL)
			signal_kill(thread, signal);
		enter(thread, signal, own ? SI_TKILL : SI_USER, PROCESS_ID);
	}
}

/* Sends the signal for a fault of the thread itself, after which it can't go on. */
void signal_fault(struct thread *thread, int signal, int code, uint64_t address)
{
	if (actions[signal].handler <= SIG_IGN || thread->blocked & BIT(signal))
		signal_kill(thread, signal);
	enter(thread, signal, code, address);
}

/* Under thread_lock. */
static void notify(struct thread *thread)
{
	if (thread->state == WAITING)
		thread_interrupt(thread);
	else if (thread->state == RUNNING && thread->cpu != this_cpu())
		cpu_wake(thread->cpu);
}

/* To the thread `tid`, or for tid 0 to any that does not block it. */
static long send(uint64_t tid, uint64_t signal)
{
	long result = -ESRCH;

	if (signal > SIGNALS)
		return -EINVAL;
	lock(&thread_lock);
	for (struct thread *thread = NULL; result && (thread = thread_each(thread));) {
		if (tid ? (uint64_t)thread->tid != tid : signal && thread->blocked & BIT(signal))
			continue;
		result = 0;
		if (!signal || (is_ignored((int)signal) && !(thread->blocked & BIT(signal))))
			break;
		*(tid ? &thread->pending : &process_pending) |= BIT(signal);
		if (!(thread->blocked & BIT(signal)))
			notify(thread);
	}
	if (!tid && result) { /* all threads block it, so the signal waits */
		process_pending |= BIT(signal);
		result = 0;
	}
	unlock(&thread_lock);
	return result;
}

long sys_kill(struct thread *thread)
{
	int process = (int)thread->regs[A0];

	return process == PROCESS_ID || process == 0 || process == -1 ? send(0, thread->regs[A1]) : -ESRCH;
}

long sys_tkill(struct thread *thread)
{
	return thread->regs[A0] ? send(thread->regs[A0], thread->regs[A1]) : -EINVAL;
}

long sys_tgkill(struct thread *thread)
{
	if (thread->regs[A0] != PROCESS_ID)
		return -ESRCH;
	return thread->regs[A1] ? send(thread->regs[A1], thread->regs[A2]) : -EINVAL;
}

long sys_sigaltstack(struct thread *thread)
{
	uint64_t set = thread->regs[A0], get = thread->regs[A1];
	struct stack new, old = stack_of(thread);

	if (set && copy_in(&new, set, sizeof(new)))
		return -EFAULT;
	if (set && on_handlers(thread) && thread->handlers.size)
		return -EPERM;
	if (set)
		thread->handlers = new.flags & SS_DISABLE ? (struct stack){0} : new;
	return get ? copy_out(get, &old, sizeof(old)) : 0;
}

long sys_rt_sigaction(struct thread *thread)
{
	uint64_t signal = thread->regs[A0], set = thread->regs[A1], get = thread->regs[A2];
	struct action new, old;

	if (!signal || signal > SIGNALS || (set && BIT(signal) & UNBLOCKABLE) || thread->regs[A3] != sizeof(uint64_t))
		return -EINVAL;
	if (set && copy_in(&new, set, sizeof(new)))
		return -EFAULT;
	lock(&thread_lock);
	old = actions[signal];
	if (set)
		actions[signal] = new;
	unlock(&thread_lock);
	return get ? copy_out(get, &old, sizeof(old)) : 0;
}

long sys_rt_sigprocmask(struct thread *thread)
{
	uint64_t how = thread->regs[A0], set = thread->regs[A1], get = thread->regs[A2], mask, old = thread->blocked;

	if (thread->regs[A3] != sizeof(mask))
		return -EINVAL;
	if (set) {
		if (how > SETMASK)
			return -EINVAL;
		if (copy_in(&mask, set, sizeof(mask)))
			return -EFAULT;
		mask = how == BLOCK ? old | mask : how == UNBLOCK ? old & ~mask : mask;
		lock(&thread_lock);
		thread->blocked = mask & ~UNBLOCKABLE;
		unlock(&thread_lock);
	}
	return get ? copy_out(get, &old, sizeof(old)) : 0;
}

long sys_rt_sigreturn(struct thread *thread)
{
	struct frame frame;

	if (copy_in(&frame, thread->regs[SP] - RETURN_SLOT, sizeof(frame)))
		signal_kill(thread, SIGSEGV);
	frame_take(&frame, thread);
	fp_load(thread);
	lock(&thread_lock);
	thread->blocked = frame.mask & ~UNBLOCKABLE;
	unlock(&thread_lock);
	return (long)thread->regs[RESULT];
}
