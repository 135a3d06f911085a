/* SPDX-License-Identifier: MIT */
/* The time-stamp counter: how fast it runs, and whether it is a clock at all (docs/tsc.md). */
#include "kernel.h"
#include "machine.h"
#include "ports.h"

#define PIT_HZ 1193182
#define PIT_TICKS (PIT_HZ / 40)
#define SAMPLES 16

#define MSR_TSC_ADJUST 0x3b
#define MSR_DECFG 0xc0011029 /* of AMD: with bit 1, `lfence` waits for all before it */

static uint64_t adjusted;

/* Three counters at one moment. The PIT counts down, and so does the timer of the APIC. */
struct sample {
	uint64_t counter;
	uint32_t apic;
	uint16_t pit;
};

/* Returns the sample of some tries that took least: whoever emulates the CPU may stop it in the midst of one. */
static struct sample sample(void)
{
	struct sample best = {0};
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < SAMPLES; i++) {
		struct sample now = {.counter = counter_now()};
		uint64_t took;

		out(0x43, 0x80); /* keeps the count of channel 2 until it is read */
		now.apic = apic_count();
		took = counter_now() - now.counter;
		now.pit = in(0x42);
		now.pit |= (uint16_t)(in(0x42) << 8);
		if (took < least) {
			least = took;
			best = now;
		}
	}
	return best;
}

/* Returns the frequency that the CPU or a hypervisor tells; 0: neither does. */
static uint64_t hz_told(void)
{
	struct cpuid found;

	if (cpuid(0).a >= 0x15) {
		found = cpuid(0x15);
		if (found.a && found.b && found.c)
			return (uint64_t)found.c * found.b / found.a;
	}
	if (!(cpuid(1).c >> 31) || cpuid(0x40000000).a < 0x40000010)
		return 0;
	return cpuid(0x40000010).a * 1000ul;
}

/*
 * Tells whether the counter runs at one rate. QEMU's emulation never says so by the bit for that; but there all CPUs read the one
 * counter of the host.
 */
static int is_invariant(void)
{
	struct cpuid found = cpuid(0x40000000);

	if (cpuid(0x80000000).a >= 0x80000007 && cpuid(0x80000007).d >> 8 & 1)
		return 1;
	return cpuid(1).c >> 31 && found.b == 0x54474354 && found.c == 0x43544743 && found.d == 0x47435447; /* "TCGTCGTCGTCG" */
}

static int has_adjust(void)
{
	return cpuid(0).a >= 7 && cpuid(7).b >> 1 & 1;
}

/* Tells whether the PIT has counted down to 0, after which it goes on at 65535. */
static int is_over(void)
{
	return in(0x61) >> 5 & 1;
}

/* Measures both counters beside the PIT, on the first CPU. A count that was over too early, as this CPU stood still, is begun anew. */
void tsc_measure(void)
{
	struct sample first, last;
	int ticks;
	uint64_t told = hz_told();

	apic_start();
	do {
		out(0x61, (uint8_t)((in(0x61) & ~2) | 1)); /* the gate open, the speaker off */
		out(0x43, 0xb0);			   /* channel 2, both bytes, mode 0 */
		out(0x42, 0xff);
		out(0x42, 0xff);
		first = sample();
		do {
			last = sample();
			ticks = first.pit - last.pit;
		} while (ticks < PIT_TICKS && !is_over());
	} while (is_over());
	machine.counter_hz = told ? told : (last.counter - first.counter) * PIT_HZ / (uint64_t)ticks;
	apic_timer_is((uint64_t)(first.apic - last.apic) * PIT_HZ / (uint64_t)ticks);
	machine.counter_unreliable = !is_invariant();
	if (has_adjust())
		adjusted = msr_read(MSR_TSC_ADJUST);
}

/* Lets programs on this CPU rely on the counter; on none any more, if firmware has moved this one. */
void tsc_start(void)
{
	struct cpuid vendor = cpuid(0), version = cpuid(1);
	int amd = vendor.b == 0x68747541 && vendor.d == 0x69746e65 && vendor.c == 0x444d4163; /* "AuthenticAMD" */
	int always = cpuid(0x80000000).a >= 0x80000021 && cpuid(0x80000021).a >> 2 & 1;

	if (amd && !always && (version.a >> 8 & 15) + (version.a >> 20 & 255) >= 0x10)
		msr_write(MSR_DECFG, msr_read(MSR_DECFG) | 2);
	if (has_adjust() && msr_read(MSR_TSC_ADJUST) != adjusted)
		clock_unreliable();
}
