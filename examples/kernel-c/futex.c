/* SPDX-License-Identifier: MIT */
/* System calls that wait: futex and the sleeps. */
#include "kernel.h"

enum { WAIT = 0, WAKE = 1, REQUEUE = 3, CMP_REQUEUE = 4, WAIT_BITSET = 9, WAKE_BITSET = 10, OPERATION = 0x7f, REALTIME = 256 };
#define TIMER_ABSTIME 1

struct timespec {
	int64_t sec, nsec;
};

static uint64_t ticks(uint64_t sec, uint64_t nsec)
{
	uint64_t hz = machine.counter_hz;

	if (sec >= (FOREVER >> 1) / hz)
		return FOREVER >> 1;
	return sec * hz + (nsec * hz + NSEC_PER_SEC - 1) / NSEC_PER_SEC;
}

/* Gives the counter at a time of a clock, or after a time from now. Returns 0 or an error. */
static long deadline_of(uint64_t address, int clock, int absolute, uint64_t *deadline)
{
	struct timespec time;
	int64_t sec;
	uint32_t nsec;

	*deadline = FOREVER;
	if (!address)
		return 0;
	if (copy_in(&time, address, sizeof(time)))
		return -EFAULT;
	if (time.sec < 0 || time.nsec < 0 || time.nsec >= NSEC_PER_SEC || clock_read(clock, &sec, &nsec))
		return -EINVAL;
	if (absolute) {
		time.sec -= sec;
		time.nsec -= nsec;
		if (time.nsec < 0) {
			time.nsec += NSEC_PER_SEC;
			time.sec--;
		}
	}
	*deadline = counter_now() + (time.sec < 0 ? 0 : ticks((uint64_t)time.sec, (uint64_t)time.nsec));
	return 0;
}

static long wait(struct thread *thread, uint64_t address, uint32_t expected, uint64_t deadline)
{
	uint32_t value;
	long result = 0;

	lock(&thread_lock); /* who changes the word wakes us after that: the wake comes before this, or finds us */
	if (copy_in(&value, address, sizeof(value)))
		result = -EFAULT;
	else if (value != expected)
		result = -EAGAIN;
	else if (signal_waits(thread))
		result = -EINTR;
	else
		thread_block(address, deadline);
	unlock(&thread_lock);
	return result;
}

/* Wakes at most `count` threads that wait for `from`, and lets at most `move` others wait for `to`. */
static long wake(uint64_t from, uint64_t count, uint64_t to, uint64_t move)
{
	long done = 0;

	for (struct thread *thread = NULL; (thread = thread_each(thread));) {
		if (thread->state != WAITING || thread->futex != from)
			continue;
		if (count) {
			count--;
			thread_wake(thread, 0);
		} else if (move) {
			move--;
			thread->futex = to;
		} else {
			break;
		}
		done++;
	}
	return done;
}

long futex_wake(uint64_t address, uint64_t count)
{
	lock(&thread_lock);
	long woken = wake(address, count, 0, 0);
	unlock(&thread_lock);
	return woken;
}

/* There is one program, so an address names a word, private or not. Bit sets are treated as full. */
long sys_futex(struct thread *thread)
{
	uint64_t address = thread->regs[A0], value = (uint32_t)thread->regs[A2], deadline;
	unsigned flags = (unsigned)thread->regs[A1], operation = flags & OPERATION & ~128u;
	uint32_t now;
	long result;

	if (address % 4 || !address)
		return -EINVAL;
	switch (operation) {
	case WAIT:
	case WAIT_BITSET:
		result = deadline_of(thread->regs[A3], flags & REALTIME ? 0 : 1, operation == WAIT_BITSET, &deadline);
		return result ? result : wait(thread, address, (uint32_t)value, deadline);
	case WAKE:
	case WAKE_BITSET:
		return futex_wake(address, value);
	case REQUEUE:
	case CMP_REQUEUE:
		lock(&thread_lock);
		if (operation == CMP_REQUEUE && copy_in(&now, address, sizeof(now)))
			result = -EFAULT;
		else if (operation == CMP_REQUEUE && now != (uint32_t)thread->regs[A5])
			result = -EAGAIN;
		else
			result = wake(address, value, thread->regs[A4], thread->regs[A3]);
		unlock(&thread_lock);
		return result;
	default:
		return -ENOSYS;
	}
}

/* A signal ends the wait. (With SA_RESTART Linux starts a wait for a futex again by itself; C libraries do so, too.) */
void thread_interrupt(struct thread *thread)
{
	uint64_t now = counter_now(), hz = machine.counter_hz, left = thread->deadline > now ? thread->deadline - now : 0;
	struct timespec rest = {(int64_t)(left / hz), (int64_t)(left % hz * NSEC_PER_SEC / hz)};

	if (thread->remaining)
		copy_out(thread->remaining, &rest, sizeof(rest));
	thread_wake(thread, -EINTR);
}

static long nap(struct thread *thread, int clock, int absolute, uint64_t request, uint64_t remaining)
{
	uint64_t deadline;
	long result = request ? deadline_of(request, clock, absolute, &deadline) : -EFAULT;

	if (result)
		return result;
	lock(&thread_lock);
	if (signal_waits(thread)) {
		result = -EINTR;
	} else {
		thread->remaining = absolute ? 0 : remaining;
		thread_block(0, deadline);
	}
	unlock(&thread_lock);
	return result;
}

long sys_nanosleep(struct thread *thread)
{
	return nap(thread, 1, 0, thread->regs[A0], thread->regs[A1]);
}

long sys_clock_nanosleep(struct thread *thread)
{
	return nap(thread, (int)thread->regs[A0], thread->regs[A1] & TIMER_ABSTIME, thread->regs[A2], thread->regs[A3]);
}
