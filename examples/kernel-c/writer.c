/* SPDX-License-Identifier: MIT */
/*
 * A load for tests: with write=MS one CPU runs no program, and changes the clock as fast as it can for so many milliseconds.
 *
 * REALTIME is always FIRST or SECOND plus the time since the counter was 0; between two settings the rate and the sleep change
 * it by some 2 % of the second since the base. The base is a third of a second back for FIRST and two thirds for SECOND, and
 * it is the present after the other changes. So all parts of a row change all the time, and a torn value, with parts of two
 * rows, is wrong by a third of a second at least.
 */
#include "kernel.h"

#define FIRST 1000000000
#define SECOND 3000000000
#define RATE 20000000 /* ppb */
#define SLEPT 1000    /* ns */

uint64_t writer_ms, writer_updates;

static void set_both(void)
{
	uint64_t hz = machine.counter_hz;

	for (int back = 1; back <= 2; back++) {
		uint64_t counter = counter_now() - hz * (uint64_t)back / 3;

		clock_set_realtime(counter, (back == 1 ? FIRST : SECOND) + (int64_t)(counter / hz),
				   (uint32_t)(counter % hz * NSEC_PER_SEC / hz));
	}
	writer_updates += 2;
}

static void change_all(void)
{
	clock_adjust(RATE);
	set_both();
	clock_adjust(-RATE);
	set_both();
	clock_suspend();
	clock_resume(SLEPT);
	writer_updates += 4;
}

void writer_run(void)
{
	while (counter_now() < machine.counter_hz) /* no base before the counter's 0 */
		end_if_asked();
	for (uint64_t end = counter_now() + writer_ms * machine.counter_hz / 1000; counter_now() < end; end_if_asked())
		change_all();
	timer_set(FOREVER);
	for (;;) {
		cpu_idle();
		cpu_interrupts();
		end_if_asked();
	}
}
