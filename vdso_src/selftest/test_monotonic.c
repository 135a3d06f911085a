/* SPDX-License-Identifier: MIT */
/* Does MONOTONIC never go back, in one thread and between threads? */
#include "calls.h"
#include "machine.h"
#include "tests.h"
#include "time.h"
#include "vdso_data.h"

#define READS_LIMIT 100000000 /* after so many reads a clock that has not moved is judged */
#define SYSTEM_CALL_EVERY 64
#define THREADS 3 /* beside the first */
#define STACK 4096
#define PATIENCE 10000000

/* The flags of glibc and musl for threads (include/uapi/linux/sched.h): VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, SETTLS,
 * PARENT_SETTID and CHILD_CLEARTID. A kernel that was tried only with those may refuse others. */
#define CLONE_FLAGS 0x3d0f00

static char stacks[THREADS][STACK] __attribute__((aligned(16)));
static int thread_ids[THREADS];
static long started, ended, stop;

/* The latest time that any thread has read, in nanoseconds since the first, and the worst step back from it. */
static struct vdso_timespec origin;
static long latest, worst;

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
static long step(long read)
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
	return since;
}

static const char *prepare(void)
{
	struct vdso_timespec now;

	latest = worst = 0;
	now.nsec = -1;
	by_system_call = kernel_clock_gettime(VDSO_MONOTONIC, &now) == 0 && is_time(&now);
	return vdso_clock_gettime(VDSO_MONOTONIC, &origin) != 0 ? "there is no MONOTONIC" : 0;
}

static enum verdict judge(long reads)
{
	if (worst > 0)
		return not_ok("back by up to %ld ns: do the counters of all " MACHINE_CPU "s agree? For vdso_data_adjust()"
			      " and its like, is the\ncounter read after vdso_data_begin()? Do your system calls hold the lock of the page's writer?",
			      worst);
	tap_note("%ld reads in %ld ns", reads, latest);
	return OK;
}

enum verdict test_second(void)
{
	const char *trouble = prepare();
	long reads;

	if (trouble)
		return skip("%s", trouble);
	for (reads = 0; step(reads) < SECOND; reads++)
		if (reads == READS_LIMIT && latest < MILLISECOND)
			return not_ok("in %ld reads it moved on by %ld ns: which frequency was vdso_data_init() told?", reads,
				      latest);
	return judge(reads);
}

static void thread(void *unused)
{
	long reads;

	(void)unused;
	__atomic_add_fetch(&started, 1, __ATOMIC_ACQ_REL);
	for (reads = 0; !atomic_get(&stop); reads++)
		step(reads);
	__atomic_add_fetch(&ended, 1, __ATOMIC_ACQ_REL);
}

static void wait_until(long *number, long value)
{
	long patience;

	for (patience = 0; patience < PATIENCE && atomic_get(number) < value; patience++)
		kernel_yield();
}

enum verdict test_threads(void)
{
	const char *trouble = prepare();
	long made, id = 0, reads;

	if (trouble)
		return skip("%s", trouble);
	for (made = 0; made < THREADS; made++) {
		void *top = stacks[made] + STACK;

		id = machine_thread(CLONE_FLAGS, top, &thread_ids[made], top, &thread_ids[made], thread, 0);
		if (id <= 0)
			break;
	}
	if (!made)
		return skip("no threads (clone answers %ld)", id);
	wait_until(&started, made);
	for (reads = 0; atomic_get(&started) == made && step(reads) < SECOND / 2; reads++)
		if (reads == READS_LIMIT)
			break;
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	wait_until(&ended, made);
	if (atomic_get(&started) < made)
		return skip("no thread runs");
	if (atomic_get(&ended) < made)
		return not_ok("threads do not end");
	return judge(reads);
}
