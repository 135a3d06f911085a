/* SPDX-License-Identifier: MIT */
/*
 * Reads the clock through its C library as often as the argument says, and prints how long a call took. The program does not
 * know whether the library uses a vDSO or the system call.
 *
 * The calls go in batches, and calls of the same kind time them: a loop that does nothing, a loop that calls, and a loop that
 * reads the counter itself. Of each loop the least of all batches counts, since others were interrupted; and what the loop
 * that does nothing takes is subtracted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "counter.h"

#define BATCH 1000
#define REPEATS (BATCH - 6) /* the other calls of a batch are those that time its three loops */

static long long now(void)
{
	struct timespec time;

	if (clock_gettime(CLOCK_MONOTONIC, &time)) {
		perror("clock_gettime");
		exit(1);
	}
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static long long nothing(void)
{
	long long zero = 0;

	__asm__ volatile("" : "+r"(zero)); /* keeps the loop */
	return zero;
}

static long long counter(void)
{
	return (long long)vdso_counter_unordered();
}

/* Returns how long it takes to repeat a function, which is made part of the loop. It may not return less than before. */
static inline __attribute__((always_inline)) long long repeat(long long (*function)(void))
{
	long long start = now(), last = 0;

	for (long i = 0; i < REPEATS; i++) {
		long long got = function();

		if (got < last) {
			fprintf(stderr, "time went back from %lld to %lld\n", last, got);
			exit(1);
		}
		last = got;
	}
	return now() - start;
}

static void keep_least(long long *least, long long took)
{
	if (!*least || took < *least)
		*least = took;
}

int main(int argc, char **argv)
{
	long calls = argc > 1 ? atol(argv[1]) : 0;
	long long empty = 0, clock = 0, read = 0;

	if (calls < BATCH || calls % BATCH) {
		fprintf(stderr, "usage: demo CALLS (a multiple of %d)\n", BATCH);
		return 2;
	}
	for (long batch = 0; batch < calls / BATCH; batch++) {
		keep_least(&empty, repeat(nothing));
		keep_least(&clock, repeat(now));
		keep_least(&read, repeat(counter));
	}
	printf("demo: calls=%ld ns_per_call=%.1f ns_per_counter=%.1f\n", calls, (double)(clock - empty) / REPEATS,
	       (double)(read - empty) / REPEATS);
	return 0;
}
