/* SPDX-License-Identifier: MIT */
/*
 * Threads and harts: one queue of those that are ready, a tick that ends a turn, deadlines of those that wait.
 * A thread that does not run is only a record, so it has no kernel stack; each hart has one.
 */
#include "kernel.h"

#define TICKS_PER_SEC 100

struct lock thread_lock;
static struct thread threads[MAX_THREADS];
static struct thread *first_ready, **last_ready = &first_ready;
static uint64_t idle; /* a bit for each hart that waits for an interrupt */

void fp_store(struct thread *thread);
void fp_fetch(const struct thread *thread);

/* Stores the floating point registers of a running thread in its record. */
void fp_sync(struct thread *thread)
{
	if ((csr_read(sstatus) & SSTATUS_FS) != SSTATUS_FS_DIRTY)
		return;
	fp_store(thread);
	csr_clear(sstatus, SSTATUS_FS_DIRTY ^ SSTATUS_FS_CLEAN);
}

/* Loads the hart's registers from the record. FS is never off in user mode: its first use would trap into the firmware. */
void fp_load(const struct thread *thread)
{
	csr_set(sstatus, SSTATUS_FS);
	fp_fetch(thread);
	csr_clear(sstatus, SSTATUS_FS_DIRTY ^ SSTATUS_FS_CLEAN);
}

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
		sbi_wake(&harts[index]);
	}
}

void thread_start(struct thread *thread)
{
	lock(&thread_lock);
	enqueue(thread);
	unlock(&thread_lock);
}

/* Puts the thread down: another hart may have it as soon as thread_lock is free. */
static void put_down(struct thread *thread)
{
	fp_sync(thread);
	this_hart()->thread = NULL;
}

/* Sets the next interrupt of this hart's timer: its tick, or an earlier deadline of a thread. */
static void set_timer(void)
{
	uint64_t next = this_hart()->next_tick;

	for (struct thread *thread = NULL; (thread = thread_each(thread));)
		if (thread->state == WAITING && thread->deadline < next)
			next = thread->deadline;
	sbi_set_timer(next);
}

/* Lets this hart's thread wait: for a word of the program (futex; 0: none), at most until `deadline`. Under thread_lock. */
void thread_block(uint64_t futex, uint64_t deadline)
{
	struct thread *thread = this_hart()->thread;

	put_down(thread);
	thread->futex = futex;
	thread->deadline = deadline;
	thread->state = WAITING;
	if (deadline < this_hart()->next_tick)
		set_timer();
}

/* Ends the wait of a thread; its system call answers `result`. Under thread_lock. */
void thread_wake(struct thread *thread, long result)
{
	thread->futex = thread->remaining = 0;
	thread->deadline = FOREVER;
	thread->regs[A0] = (uint64_t)result;
	enqueue(thread);
}

void thread_yield(void)
{
	struct thread *thread = this_hart()->thread;

	lock(&thread_lock);
	if (thread && first_ready) {
		put_down(thread);
		enqueue(thread);
	}
	unlock(&thread_lock);
}

void timer_interrupt(void)
{
	uint64_t now = rdtime();

	lock(&thread_lock);
	for (struct thread *thread = NULL; (thread = thread_each(thread));)
		if (thread->state == WAITING && thread->deadline <= now)
			thread_wake(thread, thread->futex ? -ETIMEDOUT : 0);
	int tick = this_hart()->next_tick <= now;
	if (tick)
		this_hart()->next_tick = now + machine.timebase_hz / TICKS_PER_SEC;
	set_timer();
	unlock(&thread_lock);
	if (tick && preempt_on)
		thread_yield();
}

/* Ends a thread. The end of the last one ends the program. */
void thread_exit(int status)
{
	struct thread *thread = this_hart()->thread;
	uint32_t zero = 0;

	if (thread->clear_tid && !copy_out(thread->clear_tid, &zero, sizeof(zero)))
		futex_wake(thread->clear_tid, 1);
	lock(&thread_lock);
	this_hart()->thread = NULL;
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
		thread->hart = this_hart();
		idle &= ~(1ul << this_hart()->index);
	} else {
		idle |= 1ul << this_hart()->index;
	}
	unlock(&thread_lock);
	return thread;
}

/* Goes to user mode: with this hart's thread, or with the next one that is ready, once there is one. */
void run_next(void)
{
	struct thread *thread;

	end_if_asked();
	while (!(thread = this_hart()->thread)) {
		thread = take_ready();
		if (thread) {
			this_hart()->thread = thread;
			fp_load(thread);
			break;
		}
		__asm__ volatile("wfi"); /* comes back for an interrupt that is pending, without taking it */
		csr_clear(sip, SIE_SSIE);
		if (csr_read(sip) & SIE_STIE)
			timer_interrupt();
		end_if_asked();
	}
	signal_deliver(thread);
	mm_enter_user();
	resume(thread);
}
