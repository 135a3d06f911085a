/* SPDX-License-Identifier: MIT */
/* Does MONOTONIC never go back, in one thread and between threads? */
#include "calls.h"
#include "machine.h"
#include "patience.h"
#include "start.h"
#include "tests.h"
#include "time.h"
#include "vdso_data.h"

#define READS_LIMIT 20000000 /* a thread reads no more often */
#define READS_STILL 1000000  /* in so many reads a clock moves on by a millisecond */
#define READS_LEAST 100	     /* fewer reads prove nothing */
#define TURNS_LEAST 2	     /* threads that take fewer turns ran one after the other */
#define SYSTEM_CALL_EVERY 64
#define THREADS 3 /* beside the first */
#define STACK 4096
/*
 * The turns of a wait for threads. In an emulator they take seconds, since its host may hold a CPU off for tenths of one;
 * on hardware they take some 100 ms, in which a thread gets its turn even where each tick is 10 ms.
 */
#define WAIT_LIMIT (YIELD_EVERY * 400000l)

/* The flags of glibc and musl for threads (include/uapi/linux/sched.h): VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, SETTLS,
 * PARENT_SETTID and CHILD_CLEARTID. A kernel that was tried only with those may refuse others. */
#define CLONE_FLAGS 0x3d0f00

static char stacks[THREADS][STACK] __attribute__((aligned(16)));
static int thread_ids[THREADS];
static long started, ended, stop;

/* The latest time that any thread has read, in nanoseconds since the first, and the worst step back from it. */
static struct vdso_timespec origin;
static long latest, worst;

static long leap;	       /* the largest step between two reads of the first thread */
static long turns, last_reader; /* how often one thread read after another */

static int by_system_call; /* the system call reads the clock, too */

static long atomic_get(long *number)
{
	return __atomic_load_n(number, __ATOMIC_ACQUIRE);
}

static void atomic_max(long *number, long value)
{
	long seen = atomic_get(number);

	while (seen < value &&
	       !__atomic_compare_exchange_n(number, &seen, value, 1, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
}

/* Reads the clock after a time that another thread has read. */
static long step(long reader, long read)
{
	struct vdso_timespec now;
	long seen = atomic_get(&latest), since;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!(read % SYSTEM_CALL_EVERY) && by_system_call)
		kernel_clock_gettime(VDSO_MONOTONIC, &now);
	else
		vdso_clock_gettime(VDSO_MONOTONIC, &now);
	since = between(&origin, &now);
	atomic_max(&worst, seen - since);
	atomic_max(&latest, since);
	if (__atomic_exchange_n(&last_reader, reader, __ATOMIC_ACQ_REL) != reader)
		__atomic_add_fetch(&turns, 1, __ATOMIC_RELAXED);
	return since;
}

/* Reads the clock until `end` ns have passed, `stop` is set, or a limit is reached. Returns how often it was read. */
static long read_on(long reader, long end)
{
	long before = 0, since, reads;

	for (reads = 0; take_turn(reads, READS_LIMIT) && before < end && !atomic_get(&stop); reads++) {
		if (reads == READS_STILL && atomic_get(&latest) < MILLISECOND)
			break;
		since = step(reader, reads);
		if (!reader && since - before > leap)
			leap = since - before;
		before = since;
	}
	return reads;
}

static const char *prepare(void)
{
	struct vdso_timespec now;

	latest = worst = leap = turns = last_reader = stop = 0;
	now.nsec = -1;
	by_system_call = kernel_clock_gettime(VDSO_MONOTONIC, &now) == 0 && is_time(&now);
	return vdso_clock_gettime(VDSO_MONOTONIC, &origin) != 0 ? "there is no MONOTONIC" : 0;
}

static enum verdict judge(long reads)
{
	if (worst > 0)
		return not_ok("back by up to %ld ns, in %ld reads: do the counters of all " MACHINE_CPU "s agree? For vdso_data_adjust()\n"
			      "and its like, is the counter read after vdso_data_begin()? Do your system calls hold the lock of the page's writer?",
			      worst, reads);
	if (latest < MILLISECOND)
		return not_ok("in %ld reads it moved on by %ld ns: which frequency was vdso_data_init() told?", reads, latest);
	if (reads < READS_LEAST)
		return not_ok("only %ld reads in %ld ns, and %ld ns from one to the next: which frequency was vdso_data_init() told?\n"
			      "Does the system call tell another time than the vDSO?",
			      reads, latest, leap);
	tap_note("%ld reads in %ld ns", reads, latest);
	return OK;
}

enum verdict test_second(void)
{
	const char *trouble = prepare();

	if (trouble)
		return skip("%s", trouble);
	tap_note("now MONOTONIC is read for a second: by your watch too, or the frequency is wrong");
	return judge(read_on(0, SECOND));
}

static void thread(void *number)
{
	__atomic_add_fetch(&started, 1, __ATOMIC_ACQ_REL);
	read_on((long)number, SECOND);
	__atomic_add_fetch(&ended, 1, __ATOMIC_ACQ_REL);
}

static void wait_until(long *number, long value)
{
	long turn;

	for (turn = 0; take_turn(turn, WAIT_LIMIT) && atomic_get(number) < value; turn++)
		;
}

enum verdict test_threads(void)
{
	const char *trouble = prepare();
	long made, id = 0, reads;

	if (trouble)
		return skip("%s", trouble);
	for (made = 0; made < THREADS; made++) {
		void *top = stacks[made] + STACK;

		id = machine_thread(CLONE_FLAGS, top, &thread_ids[made], top, &thread_ids[made], thread, (void *)(made + 1));
		if (id <= 0)
			break;
	}
	if (!made)
		return skip("no threads (clone answers %ld)", id);
	wait_until(&started, made);
	reads = read_on(0, SECOND / 2);
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	wait_until(&ended, made);
	if (atomic_get(&started) < made)
		return skip("of %ld threads %ld run", made, atomic_get(&started));
	if (atomic_get(&ended) < made)
		return not_ok("of %ld threads %ld end", made, atomic_get(&ended));
	if (worst <= 0 && turns < TURNS_LEAST)
		return skip("the threads do not run in turns, but one after the other");
	tap_note("%ld threads read in turns, %ld times", made + 1, turns);
	return judge(reads);
}
