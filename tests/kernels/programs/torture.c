/* SPDX-License-Identifier: MIT */
/*
 * Threads that read REALTIME and MONOTONIC through the vDSO, found as the auxiliary vector says, while the kernel changes
 * the clock all the time (write=MS of the example kernels).
 *
 *	torture THREADS READS HZ (0: what the data page says)
 *
 * The threads read as often as READS says in all, and stop at the first of what must never be:
 *
 *	torn	a REALTIME that belongs to neither of the two timelines that the kernel sets in turn
 *	back	a MONOTONIC before one that was read before: by the same thread or by another one, through the vDSO or by
 *		a system call of our own
 *
 * The library's clock functions are not called: each clock_gettime that the kernel counts beyond `direct` is one of the
 * vDSO, which met the kernel while it wrote.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <time.h>

#include "counter.h"
#include "data_page.h"
#include "image.h"
#include "kernel.h"
#include "machine.h"

/* On standard error, so that no line is lost where the kernel ends the program. */
#define SAY(...) fprintf(stderr, __VA_ARGS__)
#define NSEC 1000000000LL
/* The example kernels' writer: REALTIME is one of these plus the time since the counter was 0. */
#define FIRST (1000000000 * NSEC)
#define SECOND (3000000000 * NSEC)
/* Less than the third of a second by which a torn value is wrong; much more than what the writer's other changes do. */
#define TOLERANCE (NSEC / 5)
#define DIRECT_EVERY 64
#define MAX_THREADS 16

static int (*vdso)(clockid_t, struct timespec *);
static long reads_each;
static long long hz;
static _Atomic long long latest; /* the greatest MONOTONIC that any thread has seen */
static atomic_long reads, direct, torn, back;
static atomic_ulong cpus;

static long long nominal(uint64_t counter)
{
	return (long long)counter / hz * NSEC + (long long)counter % hz * NSEC / hz;
}

static long long read_with(int (*call)(clockid_t, struct timespec *), clockid_t clock)
{
	struct timespec now = {-1, -1};

	if (call(clock, &now) || now.tv_nsec < 0 || now.tv_nsec >= NSEC) {
		SAY("torture: clock %d failed, or gave %lld s %ld ns\n", (int)clock, (long long)now.tv_sec, now.tv_nsec);
		exit(1);
	}
	return now.tv_sec * NSEC + now.tv_nsec;
}

static int system_call(clockid_t clock, struct timespec *now)
{
	direct++;
	return (int)kernel_clock_gettime(clock, (struct vdso_timespec *)now);
}

/* Does REALTIME belong to a timeline? */
static int realtime(int (*call)(clockid_t, struct timespec *), long long *now)
{
	long long before = nominal(vdso_counter_unordered()), since;

	*now = read_with(call, CLOCK_REALTIME);
	since = *now - (*now < SECOND ? FIRST : SECOND) - before;
	if (since <= TOLERANCE)
		return since >= -TOLERANCE;
	return since <= nominal(vdso_counter_unordered()) - before + TOLERANCE; /* this thread may have stood still between the two */
}

static void monotonic(int (*call)(clockid_t, struct timespec *))
{
	long long known = latest, now = read_with(call, CLOCK_MONOTONIC);

	/* What this thread has read before is not greater than `latest` either. */
	if (now < known && back++ < 5)
		SAY("torture: %s: MONOTONIC %lld after %lld, %lld ns back\n", call == vdso ? "vDSO" : "system call", now, known,
		       known - now);
	while (now > known && !atomic_compare_exchange_weak(&latest, &known, now))
		;
}

static void *reader(void *unused)
{
	long long now;
	long i;

	for (i = 0; i < reads_each && !torn && !back; i += 2) {
		if (!realtime(vdso, &now) && torn++ < 5)
			SAY("torture: torn REALTIME %lld ns, the counter says %lld\n", now, nominal(vdso_counter_unordered()));
		monotonic(vdso);
		if (i % DIRECT_EVERY == 0)
			monotonic(system_call);
		if (i % 4096 == 0)
			cpus |= 1ul << sched_getcpu();
	}
	reads += i;
	return unused;
}

/* The address of a function in the vDSO, as C libraries find it. */
static void *find(const char *name)
{
	uint64_t found = 0;

	image.address = getauxval(AT_SYSINFO_EHDR);
	if (image.address && !image_read_header()) {
		image_read_tables();
		found = image_export(name);
	}
	if (!found) {
		SAY("torture: no %s, the vDSO is at %#lx\n", name, (unsigned long)image.address);
		exit(1);
	}
	return (void *)found;
}

int main(int argc, char **argv)
{
	int threads = argc == 4 ? atoi(argv[1]) : 0;
	pthread_t thread[MAX_THREADS];
	long long now;

	reads_each = argc == 4 ? atol(argv[2]) / (threads ? threads : 1) : 0;
	hz = argc == 4 ? atoll(argv[3]) : 0;
	if (threads < 1 || threads > MAX_THREADS || reads_each < 2 || reads_each % 2 || hz < 0) {
		SAY("usage: torture THREADS READS HZ (READS: an even number for each thread; HZ 0: what the data page says)\n");
		return 2;
	}
	*(void **)&vdso = find(VDSO_EXPORT_PREFIX "clock_gettime");
	if (!hz)
		hz = (long long)data_page()->hz;
	while (!realtime(system_call, &now)) /* until the kernel's writer begins */
		sched_yield();
	for (int i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, reader, NULL)) {
			perror("pthread_create");
			return 1;
		}
	for (int i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	SAY("torture: reads=%ld direct=%ld torn=%ld back=%ld cpus=%d\n", reads, direct, torn, back,
	       __builtin_popcountl(cpus));
	return torn || back;
}
