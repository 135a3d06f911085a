/* SPDX-License-Identifier: MIT */
/* Do vDSO and system call tell the same time? */
#include "calls.h"
#include "faults.h"
#include "image.h"
#include "tests.h"
#include "time.h"
#include "vdso_data.h"

#define ROUNDS 200
#define TRIES 3 /* a clock goes back when it is set, but not in every try */
#define CLOSE (100 * MILLISECOND) /* limit for the shortest round of vDSO, system call and vDSO */

/*
 * The difference that is allowed in an image that is none of ours: Linux writes its COARSE clocks at two places, one after
 * the other, and counts CPU time elsewhere. An image of ours may not differ at all.
 */
#define TOLERANCE (image.layout ? 0 : 10 * MILLISECOND)

#define GETTIMEOFDAY INT64_MIN /* no clock has this id */

#define READ_IT "answer from vdso_data_read()"

static int served(long clock)
{
	return clock >= 0 && clock < VDSO_ROWS && VDSO_CLOCKS >> clock & 1;
}

static void call(uint64_t clock)
{
	struct vdso_timespec time;

	vdso_clock_gettime((long)clock, &time);
}

enum verdict test_call(void)
{
	static const char cannot[] = "functions of the vDSO can't be called";
	int fault = fault_risked(cannot, call, VDSO_MONOTONIC);

	if (fault == CAME_BACK)
		return OK;
	lacking[CALLS] = cannot;
	return not_ok(VDSO_EXPORT_PREFIX "clock_gettime ends in signal %ld: map the image R-X for the user,"
		      " and the data page where\nthe image expects it",
		      (long)fault);
}

static enum verdict no_time(long clock, long vdso, long system_call)
{
	if (system_call == -ENOSYS)
		return skip("your kernel has no such system call");
	if (vdso == 0)
		return not_ok("the vDSO knows the time, the system call answers %ld: " READ_IT, system_call);
	if (vdso != system_call)
		return not_ok("the vDSO answers %ld, the system call %ld: is this the image as it was made?", vdso,
			      system_call);
	if (!served(clock))
		return OK;
	return not_ok("vDSO and system call answer %ld, there is no such clock: it takes vdso_data_init(), and for REALTIME\n"
		      "and TAI vdso_data_set_realtime(); and the system call must " READ_IT,
		      system_call);
}

static int disagreed, advised;

/* `off`: how many ns the system call is before (negative) or after the times that the vDSO gave around it. */
static enum verdict disagree(long off)
{
	long size = off < 0 ? -off : off;

	disagreed = 1;
	return not_ok("the system call is %ld %s %s the vDSO", size < 10 * SECOND ? size : size / SECOND,
		      size < 10 * SECOND ? "ns" : "s", off < 0 ? "behind" : "ahead of");
}

/* Judges three times that were read one after the other: by vDSO, system call and vDSO. */
static enum verdict in_order(const struct vdso_timespec time[3])
{
	if (!is_time(&time[1]))
		return not_ok("the system call answers 0 and gives no time");
	if (!is_time(&time[0]) || !is_time(&time[2]))
		return not_ok("the vDSO gives no time");
	if (between(&time[0], &time[1]) < -TOLERANCE)
		return disagree(between(&time[0], &time[1]));
	if (between(&time[1], &time[2]) < -TOLERANCE)
		return disagree(-between(&time[1], &time[2]));
	return OK;
}

static enum verdict compare(long clock)
{
	struct vdso_timespec time[3];
	long round, least = INT64_MAX;

	for (round = 0; round < ROUNDS; round++) {
		long vdso, system_call;

		time[0].nsec = time[1].nsec = time[2].nsec = -1;
		vdso = vdso_clock_gettime(clock, &time[0]);
		system_call = kernel_clock_gettime(clock, &time[1]);
		vdso_clock_gettime(clock, &time[2]);
		if (vdso != 0 || system_call != 0)
			return no_time(clock, vdso, system_call);
		if (in_order(time) != OK)
			return NOT_OK;
		if (between(&time[0], &time[2]) < least)
			least = between(&time[0], &time[2]);
	}
	if (least < CLOSE)
		return OK;
	return not_ok("three reads take %ld ns at least: which frequency was vdso_data_init() told?", least);
}

static enum verdict compare_gettimeofday(void)
{
	struct vdso_timespec time[3];
	struct vdso_timeval *tv = (struct vdso_timeval *)time; /* microseconds lie in the place of nanoseconds */
	long vdso, system_call, i;

	time[0].nsec = time[1].nsec = time[2].nsec = -1;
	vdso = vdso_gettimeofday(&tv[0], 0);
	system_call = kernel_gettimeofday(&tv[1], 0);
	vdso_gettimeofday(&tv[2], 0);
	if (vdso != 0 || system_call != 0)
		return no_time(VDSO_REALTIME, vdso, system_call);
	for (i = 0; i < 3; i++)
		time[i].nsec *= MICROSECOND;
	return in_order(time);
}

/* Adds the likely reason once: mostly it is the same for all clocks. */
static void advise(void)
{
	if (disagreed && !advised++)
		not_ok_also(": " READ_IT ", on the page that is\n"
			    "mapped and not a copy, with " MACHINE_COUNTER " at that moment, under the lock of the page's writer.\n"
			    "(A few microseconds: do the counters of all " MACHINE_CPU "s agree?)");
}

enum verdict test_clock(long clock)
{
	enum verdict verdict = NOT_OK;
	int tries;

	for (tries = 0; tries < TRIES && verdict == NOT_OK; tries++)
		verdict = clock == GETTIMEOFDAY ? compare_gettimeofday() : compare(clock);
	if (verdict == NOT_OK)
		advise();
	return verdict;
}

enum verdict test_gettimeofday(void)
{
	return test_clock(GETTIMEOFDAY);
}
