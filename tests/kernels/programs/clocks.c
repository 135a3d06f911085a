/* SPDX-License-Identifier: MIT */
/*
 * Reads every clock through the C library, from several threads, and compares with system calls made on purpose.
 *
 *	clocks TOLERANCE_NS [THREADS]
 *
 * Each reading must lie between two system calls around it, TOLERANCE_NS apart at most (0: the two sides of one kernel;
 * more where the page was set from another clock, which then may have COARSE clocks that lag by a tick of 10 ms).
 * The last line says what was done, for who counts system calls from outside:
 *
 *	ok served=N clock_gettime=M getres_served=N clock_getres=M
 *
 * N calls that need no system call where there is a vDSO, and M that are system calls in any case.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NSEC 1000000000ll
#define TICK_NS 10000000
#define ROUNDS 20
#define READS 500
#define MOST_THREADS 8

struct counts {
	unsigned long served, asked, getres_served, getres_asked;
};

static const int clocks[] = {CLOCK_REALTIME,	    CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE,
			     CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME,  CLOCK_TAI};
static const int bad[] = {10, 12, 99, -1, INT_MIN, INT_MAX};
static int64_t tolerance;

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void fail(const char *what, int clock, int64_t before, int64_t got, int64_t after)
{
	printf("wrong: %s, clock %d: %lld, not between %lld and %lld\n", what, clock, (long long)got, (long long)before,
	       (long long)after);
	fflush(stdout);
	_exit(1);
}

static int64_t ns(const struct timespec *time)
{
	if (time->tv_nsec < 0 || time->tv_nsec >= NSEC)
		fail("nanoseconds", -1, 0, time->tv_nsec, NSEC - 1);
	return time->tv_sec * NSEC + time->tv_nsec;
}

static int64_t ask(int clock, struct counts *counts)
{
	struct timespec time;

	counts->asked++;
	if (syscall(SYS_clock_gettime, clock, &time))
		fail("the system call", clock, 0, errno, 0);
	return ns(&time);
}

static int64_t read_clock(int clock, struct counts *counts)
{
	struct timespec time;

	counts->served++;
	if (clock_gettime(clock, &time))
		fail("clock_gettime", clock, 0, errno, 0);
	return ns(&time);
}

static int64_t read_timeofday(int clock, struct counts *counts)
{
	struct timeval time;

	(void)clock;
	counts->served++;
	if (gettimeofday(&time, NULL))
		fail("gettimeofday", clock, 0, errno, 0);
	return time.tv_sec * NSEC + time.tv_usec * 1000;
}

static int64_t read_time(int clock, struct counts *counts)
{
	(void)clock;
	counts->served++;
	return time(NULL) * NSEC;
}

/* `grain`: how far below the time asked for a reading may be, by its unit. */
static void compare(const char *what, int64_t (*read)(int, struct counts *), int clock, int64_t grain, struct counts *counts)
{
	int64_t before = ask(clock, counts);
	int64_t got = read(clock, counts);
	int64_t after = ask(clock, counts);
	int coarse = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
	int64_t lag = tolerance && coarse ? TICK_NS : 0;

	if (got < before - grain - tolerance || got > after + tolerance + lag)
		fail(what, clock, before, got, after);
}

static void forward(struct counts *counts)
{
	int64_t last = 0;
	int i;

	for (i = 0; i < READS; i++) {
		int64_t now = read_clock(CLOCK_MONOTONIC, counts);

		if (now < last)
			fail("back in time", CLOCK_MONOTONIC, last, now, INT64_MAX);
		last = now;
	}
}

static void *work(void *argument)
{
	struct counts *counts = argument;
	unsigned round, i;

	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < COUNT(clocks); i++)
			compare("clock_gettime", read_clock, clocks[i], 0, counts);
		compare("gettimeofday", read_timeofday, CLOCK_REALTIME, 999, counts);
		compare("time", read_time, CLOCK_REALTIME_COARSE, NSEC - 1, counts);
	}
	forward(counts);
	return NULL;
}

static void refuse(int clock, struct counts *counts)
{
	struct timespec time = {-77, -77};

	counts->asked++;
	errno = 0;
	if (clock_gettime(clock, &time) != -1 || errno != EINVAL)
		fail("clock_gettime of a bad id", clock, EINVAL, errno, EINVAL);
	counts->getres_asked++;
	errno = 0;
	if (clock_getres(clock, &time) != -1 || errno != EINVAL)
		fail("clock_getres of a bad id", clock, EINVAL, errno, EINVAL);
	if (time.tv_sec != -77 || time.tv_nsec != -77)
		fail("a refusal that writes", clock, -77, time.tv_sec, -77);
}

/* 1 ns, as Linux has it, to a tick, as it has it for COARSE; between the two sides of one kernel what the call says. */
static void resolution(int clock, struct counts *counts)
{
	struct timespec time = {-1, -1}, asked = {-1, -1};

	counts->getres_asked++;
	counts->getres_served += 2;
	if (syscall(SYS_clock_getres, clock, &asked))
		fail("the system call clock_getres", clock, 0, errno, 0);
	if (clock_getres(clock, &time) || time.tv_sec || time.tv_nsec < 1 || time.tv_nsec > TICK_NS)
		fail("clock_getres", clock, 1, time.tv_nsec, TICK_NS);
	if (!tolerance && (asked.tv_sec || asked.tv_nsec != time.tv_nsec))
		fail("clock_getres", clock, asked.tv_nsec, time.tv_nsec, asked.tv_nsec);
	if (clock_getres(clock, NULL))
		fail("clock_getres with NULL", clock, 0, errno, 0);
}

int main(int argc, char **argv)
{
	int threads = argc > 2 ? atoi(argv[2]) : 4, i;
	struct counts counts[MOST_THREADS] = {{0}}, all = {0};
	pthread_t ids[MOST_THREADS];

	if (argc < 2 || threads < 1 || threads > MOST_THREADS)
		return 2;
	tolerance = atoll(argv[1]);
	for (i = 0; i < threads; i++)
		if (pthread_create(&ids[i], NULL, work, &counts[i]))
			fail("pthread_create", i, 0, errno, 0);
	for (i = 0; i < threads; i++)
		if (pthread_join(ids[i], NULL))
			fail("pthread_join", i, 0, errno, 0);
	for (i = 0; i < (int)COUNT(bad); i++)
		refuse(bad[i], &counts[0]);
	for (i = 0; i < (int)COUNT(clocks); i++)
		resolution(clocks[i], &counts[0]);
	for (i = 0; i < threads; i++) {
		all.served += counts[i].served;
		all.asked += counts[i].asked;
		all.getres_served += counts[i].getres_served;
		all.getres_asked += counts[i].getres_asked;
	}
	printf("ok served=%lu clock_gettime=%lu getres_served=%lu clock_getres=%lu\n", all.served, all.asked,
	       all.getres_served, all.getres_asked);
	return 0;
}
