/* SPDX-License-Identifier: MIT */
/* Reads the clock through its C library as often as the argument says, and prints how long a call took. The program does not
   know whether the library uses a vDSO or the system call. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long long now(void)
{
	struct timespec time;

	if (clock_gettime(CLOCK_MONOTONIC, &time)) {
		perror("clock_gettime");
		exit(1);
	}
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int argc, char **argv)
{
	long calls = argc > 1 ? atol(argv[1]) : 0;
	long long start, end, last;

	if (calls < 2) {
		fprintf(stderr, "usage: demo CALLS (at least 2)\n");
		return 2;
	}
	/* The time is that between the first and the last of the calls. */
	start = end = now();
	for (long i = 1; i < calls; i++) {
		last = end;
		end = now();
		if (end < last) {
			fprintf(stderr, "CLOCK_MONOTONIC went back from %lld to %lld\n", last, end);
			return 1;
		}
	}
	printf("demo: calls=%ld ns_per_call=%.1f\n", calls, (double)(end - start) / (double)(calls - 1));
	return 0;
}
