/* SPDX-License-Identifier: MIT */
/* Do vDSO and system call tell the same time? */
#include "calls.h"
#include "data_page.h"
#include "faults.h"
#include "patience.h"
#include "tests.h"
#include "time.h"

#define ROUNDS 200
#define TRIES 3 /* a clock goes back when it is set, but not in every try */
#define ROW_TURNS 100000 /* limit for looks at a row that a writer may have marked invalid just now */
#define CLOSE (100 * MILLISECOND) /* limit for the shortest round of vDSO, system call and vDSO */

/*
 * The difference that is allowed in an image that is none of ours: Linux writes its COARSE clocks at two places, one after
 * the other, and counts CPU time elsewhere. An image of ours may not differ at all.
 */
#define TOLERANCE (image.layout ? 0 : 10 * MILLISECOND)

#define GETTIMEOFDAY INT64_MIN /* no clock has this id */

#define UNKNOWN_TIME "with 0 s where nobody knows the time: as on Linux it is 1970 then"
#define READ_IT "answer from vdso_data_read()"

static void call(uint64_t clock)
{
	struct vdso_timespec time;

	vdso_clock_gettime((long)clock, &time);
}

enum verdict test_call(void)
{
	static const char cannot[] = "functions of the vDSO can't be called";
	long fault = fault_risked(cannot, call, VDSO_MONOTONIC);

	if (fault == CAME_BACK)
		return OK;
	lacking[CALLS] = cannot;
	return not_ok(VDSO_EXPORT_PREFIX "clock_gettime, at %lx, %s %ld: map the image R-X for the user, and the data page where the\n"
		      "image expects it",
		      at_clock_gettime, fault_verb(fault), fault_number(fault));
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
	if (!is_served(clock))
		return OK;
	return not_ok("vDSO and system call answer %ld, there is no such clock: it takes vdso_data_init(), and for REALTIME\n"
		      "and TAI vdso_data_set_realtime(), " UNKNOWN_TIME "; and\nthe system call must " READ_IT,
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
		return not_ok("the system call answers 0 and gives no time: %ld s, %ld ns", time[1].sec, time[1].nsec);
	if (!is_time(&time[0]) || !is_time(&time[2]))
		return not_ok("the vDSO gives no time: %ld s, %ld ns, and then %ld s, %ld ns", time[0].sec, time[0].nsec,
			      time[2].sec, time[2].nsec);
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

/* Tells whether the vDSO answers by itself: equal answers prove nothing where it only makes the system call. */
static enum verdict served_by_itself(long clock)
{
	long turn;

	if (lacking[DATA] || !is_served(clock) || !is_data_page(image_data()))
		return OK;
	if (data_is_disabled())
		return skip("vdso_data_disable() was called, and so the vDSO only makes the system call");
	for (turn = 0; take_turn(turn, ROW_TURNS); turn++)
		if (is_valid(clock))
			return OK;
	return not_ok("the vDSO only makes the system call, as row %ld of the data page is not valid (its state is %lx). REALTIME and\n"
		      "TAI take vdso_data_set_realtime(), " UNKNOWN_TIME ", and its\n"
		      "nanoseconds must be below 10^9; the others a vdso_data_end() for each vdso_data_begin()",
		      clock, data_page()->row[clock].state);
}

enum verdict test_clock(long clock)
{
	enum verdict verdict = NOT_OK;
	int tries;

	for (tries = 0; tries < TRIES && verdict == NOT_OK; tries++)
		verdict = clock == GETTIMEOFDAY ? compare_gettimeofday() : compare(clock);
	if (verdict == NOT_OK)
		advise();
	return verdict == OK ? served_by_itself(clock == GETTIMEOFDAY ? VDSO_REALTIME : clock) : verdict;
}

enum verdict test_gettimeofday(void)
{
	return test_clock(GETTIMEOFDAY);
}
