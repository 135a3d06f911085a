/* SPDX-License-Identifier: MIT */
/* A load for tests: with write=MS one hart runs no program, and changes the clock for that long as fast as it can. */
#include "kernel.h"

/* REALTIME is one of these, plus the time since the counter was 0. Torn values belong to neither. */
#define FIRST_TIME 1000000000
#define SECOND_TIME 3000000000

uint64_t writer_ms, writer_updates;

static void set_realtime(int64_t start)
{
	uint64_t counter = rdtime(), hz = machine.timebase_hz;

	clock_set_realtime(start + (int64_t)(counter / hz), (uint32_t)(counter % hz * NSEC_PER_SEC / hz));
}

void writer_run(void)
{
	uint64_t end = rdtime() + writer_ms * machine.timebase_hz / 1000;

	while (rdtime() < end) {
		set_realtime(FIRST_TIME);
		set_realtime(SECOND_TIME);
		writer_updates += 2;
		end_if_asked();
	}
	for (;;) {
		end_if_asked();
		__asm__ volatile("wfi");
		csr_clear(sip, SIE_SSIE);
		sbi_set_timer(FOREVER);
	}
}
