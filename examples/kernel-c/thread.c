/* SPDX-License-Identifier: MIT */
/*
 * Threads and CPUs: one queue of those that are ready, a tick that ends a turn, deadlines of those that wait.
 * A thread that does not run is only a record, so it has no kernel stack; each CPU has one.
 */
#include "kernel.h"

#define TICKS_PER_SEC 100

struct lock thread_lock;
static struct thread threads[MAX_THREADS];
static struct thread *first_ready, **last_ready = &first_ready;
static uint64_t idle; /* a bit for each CPU that waits for an interrupt */

/* Returns a record for a new thread, or NULL. */
struct thread *thread_new(void)
{
	struct thread *found = NULL;

	lock(&thread_lock);
	for (struct thread *thread = threads; thread < threads + MAX_THREADS && !found; thread++)
		if (thread->state == FREE)
			found = thread;
	if (found) {
		memset(found, 0, sizeof(*found));
		found->fp = (struct fp)FP_NEW;
		found->state = NEW;
		found->deadline = FOREVER;
		found->tid = (int)(found - threads) + 1;
	}
	unlock(&thread_lock);
	return found;
}

/* Returns the thread after the given one (NULL: the first). Under thread_lock. */
struct thread *thread_each(struct thread *after)
{
	for (struct thread *thread = after ? after + 1 : threads; thread < threads + MAX_THREADS; thread++)
		if (thread->state != FREE)
			return thread;
	return NULL;
}

static void enqueue(struct thread *thread)
{
	thread->state = READY;
	thread->next = NULL;
	*last_ready = thread;
	last_ready = &thread->next;
	if (idle) {
		int index = lowest_bit(idle);

		idle &= ~(1ul << index);
		cpu_wake(&cpus[index]);
	}
}

void thread_start(struct thread *thread)
{
	lock(&thread_lock);
	enqueue(thread);
	unlock(&thread_lock);
}

/* Puts the thread down: another CPU may have it as soon as thread_lock is free. */
static void put_down(struct thread *thread)
{
	fp_sync(thread);
	this_cpu()->thread = NULL;
}

/* Sets the next interrupt of this CPU's timer: its tick, or an earlier deadline of a thread. */
static void set_timer(void)
{
	uint64_t next = this_cpu()->next_tick;

	for (struct thread *thread = NULL; (thread = thread_each(thread));)
		if (thread->state == WAITING && thread->deadline < next)
			next = thread->deadline;
	timer_set(next);
}

/* Lets this CPU's thread wait: for a word of the program (futex; 0: none), at most until `deadline`. Under thread_lock. */
void thread_block(uint64_t futex, uint64_t deadline)
{
	struct thread *thread = this_cpu()->thread;

	put_down(thread);
	thread->futex = futex;
	thread->deadline = deadline;
	thread->state = WAITING;
	if (deadline < this_cpu()->next_tick)
		set_timer();
}

/* Ends the wait of a thread; its system call answers `result`. Under thread_lock. */
void thread_wake(struct thread *thread, long result)
{
	thread->futex = thread->remaining = 0;
	thread->deadline = FOREVER;
	thread->regs[RESULT] = (uint64_t)result;
	enqueue(thread);
}

void thread_yield(void)
{
	struct thread *thread = this_cpu()->thread;

	lock(&thread_lock);
	if (thread && first_ready) {
		put_down(thread);
		enqueue(thread);
	}
	unlock(&thread_lock);
}

void timer_interrupt(void)
{
	uint64_t now = counter_now();

	lock(&thread_lock);
	for (struct thread *thread = NULL; (thread = thread_each(thread));)
		if (thread->state == WAITING && thread->deadline <= now)
			thread_wake(thread, thread->futex ? -ETIMEDOUT : 0);
	int tick = this_cpu()->next_tick <= now;
	if (tick)
		this_cpu()->next_tick = now + machine.counter_hz / TICKS_PER_SEC;
	set_timer();
	unlock(&thread_lock);
	if (tick && preempt_on)
		thread_yield();
}

/* Ends a thread. The end of the last one ends the program. */
void thread_exit(int status)
{
	struct thread *thread = this_cpu()->thread;
	uint32_t zero = 0;

	if (thread->clear_tid && !copy_out(thread->clear_tid, &zero, sizeof(zero)))
		futex_wake(thread->clear_tid, 1);
	lock(&thread_lock);
	this_cpu()->thread = NULL;
	thread->state = FREE;
	int others = thread_each(NULL) != NULL;
	unlock(&thread_lock);
	if (!others)
		program_end(status);
	run_next();
}

static struct thread *take_ready(void)
{
	struct thread *thread;

	lock(&thread_lock);
	thread = first_ready;
	if (thread) {
		first_ready = thread->next;
		if (!first_ready)
			last_ready = &first_ready;
		thread->state = RUNNING;
		thread->cpu = this_cpu();
		idle &= ~(1ul << this_cpu()->index);
	} else {
		idle |= 1ul << this_cpu()->index;
	}
	unlock(&thread_lock);
	return thread;
}

/* Goes to user mode: with this CPU's thread, or with the next one that is ready, once there is one. */
void run_next(void)
{
	struct thread *thread;

	end_if_asked();
	while (!(thread = this_cpu()->thread)) {
		thread = take_ready();
		if (thread) {
			this_cpu()->thread = thread;
			fp_load(thread);
			break;
		}
		cpu_idle();
		if (cpu_interrupts())
			timer_interrupt();
		end_if_asked();
	}
	signal_deliver(thread);
	mm_enter_user();
	resume(thread);
}
