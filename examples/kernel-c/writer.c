/* SPDX-License-Identifier: MIT */
/*
 * A load for tests: with write=MS one hart runs no program, and changes the clock for that long as fast as it can.
 *
 * REALTIME is always FIRST or SECOND plus the time since the counter was 0, but for what the rate and the sleep do between
 * two settings: some 2 % of the distance between the bases. The rows of the two differ in all parts: SECOND's base lies
 * 1.5 s back. So a value torn of both is wrong by half a second at least.
 */
#include "kernel.h"

#define FIRST 1000000000
#define SECOND 3000000000
#define RATE 20000000 /* ppb */
#define SLEPT 1000    /* ns */

uint64_t writer_ms, writer_updates;

static void set_realtime(uint64_t counter, int64_t start)
{
	uint64_t hz = machine.timebase_hz;

	clock_set_realtime(counter, start + (int64_t)(counter / hz), (uint32_t)(counter % hz * NSEC_PER_SEC / hz));
}

static void write_all(void)
{
	set_realtime(rdtime(), FIRST);
	clock_adjust(RATE);
	set_realtime(rdtime() - machine.timebase_hz * 3 / 2, SECOND);
	clock_adjust(-RATE);
	clock_suspend();
	clock_resume(SLEPT);
	writer_updates += 6;
}

void writer_run(void)
{
	while (rdtime() < 2 * machine.timebase_hz) /* no base before the counter's 0 */
		end_if_asked();
	for (uint64_t end = rdtime() + writer_ms * machine.timebase_hz / 1000; rdtime() < end; end_if_asked())
		write_all();
	sbi_set_timer(FOREVER);
	for (;;) {
		__asm__ volatile("wfi");
		csr_clear(sip, SIE_SSIE);
		end_if_asked();
	}
}
