/* SPDX-License-Identifier: MIT */
/* May user mode read the counter, or does firmware emulate each read? What do the calls cost? */
#include "calls.h"
#include "counter.h"
#include "data_page.h"
#include "faults.h"
#include "machine.h"
#include "patience.h"
#include "tests.h"
#include "time.h"
#include "vdso_data.h"

#define BATCHES 16
#define BATCH_TICKS 200	      /* a batch of system calls takes so many ticks, so that the counter's steps don't matter */
#define BATCH_LIMIT (1l << 17)
#define COUNTER_TURNS 1000000 /* limit for reads of a counter that stands still */

uint64_t counter_now(void)
{
	return image.counter_offset ? *(const volatile uint64_t *)image_counter() : vdso_counter_unordered();
}

static void read_counter(uint64_t unused)
{
	(void)unused;
	counter_now();
}

/* Writes what is there already. */
static void write_counter(uint64_t unused)
{
	volatile uint64_t *counter = (volatile uint64_t *)image_counter();

	(void)unused;
	*counter = *counter;
}

/* On a page that is disabled nobody reads the counter, so it may be forbidden. */
static int is_needed(void)
{
	return lacking[DATA] || !data_is_disabled();
}

enum verdict test_counter(void)
{
	static const char cannot[] = "user mode can't read the counter";
	long turn, fault = fault_risked(cannot, read_counter, 0);
	uint64_t start;

	if (fault != CAME_BACK) {
		lacking[COUNTER] = cannot;
		if (!is_needed())
			return skip("it can't, and need not: the data page is disabled");
		lacking[CALLS] = cannot;
		if (image.counter_offset)
			return not_ok("reading at %lx %s %ld: map the counter's page R-- for the user,\n"
				      "VDSO_COUNTER_OFFSET from where the image is; firmware may forbid it", image_counter(),
				      fault_verb(fault), fault_number(fault));
		return not_ok(MACHINE_COUNTER " %s %ld: set " MACHINE_COUNTER_BIT " on every " MACHINE_CPU, fault_verb(fault),
			      fault_number(fault));
	}
	if (image.counter_offset && fault_of(write_counter, 0) == CAME_BACK)
		return not_ok("it can write it too, at %lx: map the counter's page R-- for the user, without W.\n"
			      "A process could set the clock of the whole machine", image_counter());
	start = counter_now();
	for (turn = 0; take_turn(turn, COUNTER_TURNS); turn++)
		if (counter_now() != start)
			return OK;
	lacking[COUNTER] = "the counter stands still";
	return not_ok("it stands still: in %ld reads it is %ld", turn, (long)start);
}

static long repeats; /* in a batch; 0 until somebody has found how many it takes */

static void nothing(void)
{
	__asm__ volatile("" ::: "memory");
}

static void counter(void)
{
	counter_now();
}

static void system_call(void)
{
	kernel_getpid();
}

static void time_by_vdso(void)
{
	struct vdso_timespec now;

	vdso_clock_gettime(VDSO_MONOTONIC, &now);
}

static void time_by_system_call(void)
{
	struct vdso_timespec now;

	kernel_clock_gettime(VDSO_MONOTONIC, &now);
}

static long ticks(void)
{
	return (long)counter_now();
}

static long nanoseconds(void)
{
	static const struct vdso_timespec zero;
	struct vdso_timespec now = zero;

	vdso_clock_gettime(VDSO_MONOTONIC, &now);
	return between(&zero, &now);
}

/* Returns the cost of a batch, in the unit of `clock`: the least of several, since others may be interrupted. */
static long cost(void (*volatile what)(void), long (*clock)(void))
{
	long batch, i, least = INT64_MAX;

	for (batch = 0; batch < BATCHES; batch++) {
		long start = clock(), taken;

		for (i = 0; i < repeats; i++)
			what();
		taken = clock() - start;
		if (taken < least)
			least = taken;
	}
	return least;
}

enum verdict test_counter_cost(void)
{
	long loop, of_counter, of_call;

	if (!is_needed())
		return skip("the data page is disabled: nobody reads the counter");
	for (repeats = 64; repeats < BATCH_LIMIT && cost(system_call, ticks) < BATCH_TICKS; repeats *= 2)
		;
	loop = cost(nothing, ticks);
	of_counter = cost(counter, ticks) - loop;
	of_call = cost(system_call, ticks) - loop;
	tap_note("%ld times: " MACHINE_COUNTER " %ld ticks, system call %ld, nothing %ld", repeats, of_counter, of_call, loop);
	if (of_counter * 2 < of_call)
		return OK;
	if (image.counter_offset)
		return not_ok("each read costs about as much as a system call: on this machine the vDSO saves nothing:\n"
			      "%ld reads cost %ld ticks, so many system calls %ld", repeats, of_counter, of_call);
	return not_ok("%ld times " MACHINE_COUNTER " cost %ld ticks, so many system calls %ld: each traps, and firmware answers it.\n"
		      "Set " MACHINE_COUNTER_BIT " on every " MACHINE_CPU ".\n"
		      "(If both are set, this machine has no counter for user mode)",
		      repeats, of_counter, of_call);
}

void note_costs(void)
{
	if (lacking[COUNTER] || lacking[CALLS] || !repeats)
		return;
	tap_note("clock_gettime(MONOTONIC): vDSO %ld ns, system call %ld ns",
		 cost(time_by_vdso, nanoseconds) / repeats, cost(time_by_system_call, nanoseconds) / repeats);
}
