/* SPDX-License-Identifier: MIT */
/* Do the other exports answer as their system calls do? */
#include "calls.h"
#include "clock_ids.h"
#include "image.h"
#include "machine.h"
#include "patience.h"
#include "tests.h"
#include "time.h"

/* The clocks that the vDSO serves, and some that it does not. */
static const signed char clocks[] = { 0, 1, 4, 5, 6, 7, 11, 2, 3, 99, -1 };

/* Returns the resolution in nanoseconds; 0 if nothing was written. */
static long resolution(const struct vdso_timespec *res)
{
	return res->sec * 1000000000 + res->nsec;
}

enum verdict test_getres(void)
{
	struct vdso_timespec first, second;
	unsigned i;

	if (kernel_clock_getres(1, &second) == -ENOSYS)
		return skip("your kernel has no such system call");
	for (i = 0; i < sizeof(clocks); i++) {
		long vdso, system_call;

		first.sec = first.nsec = second.sec = second.nsec = 0;
		vdso = vdso_clock_getres(clocks[i], &first);
		system_call = kernel_clock_getres(clocks[i], &second);
		if (vdso != system_call || resolution(&first) != resolution(&second))
			return not_ok("clock %ld: the vDSO answers %ld and %ld ns, the system call %ld and %ld ns:\n"
				      "let your clock_getres answer from vdso_data_getres()",
				      (long)clocks[i], vdso, resolution(&first), system_call, resolution(&second));
		if (vdso_clock_getres(clocks[i], 0) != vdso || kernel_clock_getres(clocks[i], 0) != system_call)
			return not_ok("clock %ld: with NULL for the resolution, which is legal, the vDSO answers %ld and the system call %ld;\n"
				      "with an address they answer %ld and %ld",
				      (long)clocks[i], vdso_clock_getres(clocks[i], 0), kernel_clock_getres(clocks[i], 0), vdso,
				      system_call);
	}
	return OK;
}

static const struct other {
	const char *name;
	long number;
} others[] = { MACHINE_OTHERS { 0, 0 } };

/* A kernel may tell a clock's second at its tick, and be behind the vDSO until that. */
#define TICK (20 * MILLISECOND)
#define TICK_TURNS 1000000

static void wait_for_tick(void)
{
	struct vdso_timespec start, now;
	long turn;

	if (vdso_clock_gettime(VDSO_MONOTONIC, &start))
		return;
	for (turn = 0; take_turn(turn, TICK_TURNS); turn++)
		if (vdso_clock_gettime(VDSO_MONOTONIC, &now) || between(&start, &now) > TICK)
			return;
}

/*
 * Calls each export with arguments that ask for nothing, so that it does nothing but answer: what its system call answers
 * before that and after, or between the two.
 */
enum verdict test_others(void)
{
	unsigned i, found = 0;

	if (!image.layout)
		return skip("not an image of scons-vdso");
	for (i = 0; others[i].name; i++) {
		uint64_t function = image_export(others[i].name);
		int agree = 0, tries;

		for (tries = 0; function && !agree && tries < 2; tries++) {
			long before, vdso, after;

			if (tries)
				wait_for_tick();
			before = vdso_syscall5(others[i].number, 0, 0, 0, 0, 0);
			vdso = call_at(function, 0, 0, 0, 0, 0);
			after = vdso_syscall5(others[i].number, 0, 0, 0, 0, 0);
			agree = before <= vdso && vdso <= after;
			if (!agree && tries)
				return not_ok("%s answers %ld, its system call %ld before that and %ld after: is this the image as it was\n"
					      "made? And if it tells a time, let the system call answer from vdso_data_read()",
					      others[i].name, vdso, before, after);
		}
		found += function != 0;
	}
	return found ? OK : skip("this image has none");
}
