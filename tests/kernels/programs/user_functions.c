/* SPDX-License-Identifier: MIT */
/*
 * Functions of the user's own in the vDSO, as a program finds and calls them. user_functions CALLS:
 *
 *	user_functions: timebase_hz=HZ cpu=GREATEST node=NODE null=ANSWER libc=CPU
 *
 * Each function is looked up at AT_SYSINFO_EHDR, by both hash tables and by its version, as C libraries do, and called
 * CALLS times: what the kernel counts is then exactly what it was asked. `libc` is what sched_getcpu() says, once.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "image.h"
#include "machine.h"

static long found(const char *name)
{
	uint64_t index = image_by_hash(name);

	if (!index || index != image_by_gnu_hash(name) || strcmp(image_version(index), MACHINE_VERSION)) {
		printf("user_functions: %s is not found by each hash table and version\n", name);
		exit(1);
	}
	return (long)image_export(name);
}

int main(int argc, char **argv)
{
	long calls = argc > 1 ? atol(argv[1]) : 1, i;
	unsigned cpu = 77, node = 77, greatest = 0;
	long (*getcpu)(unsigned *, unsigned *, void *);
	uint64_t (*timebase_hz)(void);
	const char *trouble;
	uint64_t hz;

	image.address = getauxval(AT_SYSINFO_EHDR);
	trouble = image_read_header();
	if (trouble) {
		printf("user_functions: %s\n", trouble);
		return 1;
	}
	image_read_tables();
	getcpu = (long (*)(unsigned *, unsigned *, void *))found("__vdso_getcpu");
	timebase_hz = (uint64_t(*)(void))found("__vdso_timebase_hz");
	hz = timebase_hz();
	for (i = 0; i < calls; i++) {
		if (getcpu(&cpu, &node, NULL) || timebase_hz() != hz) {
			printf("user_functions: another answer at call %ld\n", i);
			return 1;
		}
		greatest = cpu > greatest ? cpu : greatest;
	}
	printf("user_functions: timebase_hz=%lu cpu=%u node=%u null=%ld libc=%d\n", (unsigned long)hz, greatest, node,
	       getcpu(NULL, NULL, NULL), sched_getcpu());
	return 0;
}
