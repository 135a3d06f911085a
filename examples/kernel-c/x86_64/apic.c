/* SPDX-License-Identifier: MIT */
/* The local APIC of each CPU: its timer, interrupts between CPUs, and their start (Intel SDM, Volume 3, chapter 11). */
#include "kernel.h"
#include "machine.h"

#define APIC (DEVICES_SHIFT + 0xfee00000)

enum {
	EOI = 0xb0, SPURIOUS_VECTOR = 0xf0, IN_SERVICE = 0x100, COMMAND = 0x300, COMMAND_TO = 0x310, TIMER_VECTOR = 0x320,
	TIMER_START = 0x380, TIMER_COUNT = 0x390, TIMER_DIVIDE = 0x3e0,
};

#define ENABLED (1u << 8)
#define MASKED (1u << 16)
#define DIVIDE_BY_1 0xb
#define SENT_NOT_YET (1u << 12)
#define ASSERT (1u << 14)
#define INIT (5u << 8)
#define STARTUP (6u << 8)

extern const uint8_t trampoline[], trampoline_end[];

/* The record of a CPU on its way to where it has it. */
struct cpu *volatile cpu_starting;

static uint64_t timer_hz;

static volatile uint32_t *apic(unsigned place)
{
	return (volatile uint32_t *)(APIC + place);
}

/* Lets this CPU's APIC deliver interrupts. */
void apic_start(void)
{
	*apic(SPURIOUS_VECTOR) = ENABLED | VECTOR_SPURIOUS;
	*apic(TIMER_DIVIDE) = DIVIDE_BY_1;
	*apic(TIMER_VECTOR) = MASKED | VECTOR_TIMER;
}

/* Returns what the timer has left of 2^32 - 1 ticks, from which it starts where it has not yet. */
uint32_t apic_count(void)
{
	if (!*apic(TIMER_COUNT))
		*apic(TIMER_START) = UINT32_MAX;
	return *apic(TIMER_COUNT);
}

void apic_timer_is(uint64_t hz)
{
	timer_hz = hz;
}

void timer_set(uint64_t counter)
{
	uint64_t now = counter_now(), ticks = counter > now ? counter - now : 0;

	if (counter == FOREVER) {
		*apic(TIMER_START) = 0;
		return;
	}
	if (ticks > machine.counter_hz) /* a second: what is later is set anew then */
		ticks = machine.counter_hz;
	*apic(TIMER_VECTOR) = VECTOR_TIMER;
	*apic(TIMER_START) = (uint32_t)(ticks * timer_hz / machine.counter_hz) + 1;
}

static void command(const struct cpu *cpu, uint32_t what)
{
	*apic(COMMAND_TO) = (uint32_t)cpu->id << 24;
	*apic(COMMAND) = what;
	while (*apic(COMMAND) & SENT_NOT_YET)
		;
}

void cpu_wake(const struct cpu *cpu)
{
	command(cpu, ASSERT | VECTOR_WAKE);
}

static int in_service(unsigned vector)
{
	return *apic(IN_SERVICE + vector / 32 * 16) >> vector % 32 & 1;
}

/* Ends the interrupt that was taken. Returns whether it was the timer's. */
int cpu_interrupts(void)
{
	int timer = in_service(VECTOR_TIMER);

	if (timer || in_service(VECTOR_WAKE))
		*apic(EOI) = 0;
	return timer;
}

static void wait(uint64_t microseconds)
{
	uint64_t start = counter_now();

	while (counter_now() - start < machine.counter_hz * microseconds / 1000000)
		;
}

/* Sends INIT, and the place to start at until the CPU has come from there. */
int cpu_start(const struct cpu *cpu)
{
	memcpy((void *)(KERNEL_BASE + TRAMPOLINE), trampoline, (size_t)(trampoline_end - trampoline));
	cpu_starting = (struct cpu *)(uintptr_t)cpu;
	command(cpu, ASSERT | INIT);
	wait(10000);
	for (int tries = 0; tries < 2; tries++) {
		command(cpu, ASSERT | STARTUP | TRAMPOLINE / 4096);
		wait(200);
	}
	for (uint64_t start = counter_now(); cpu_starting;)
		if (counter_now() - start > machine.counter_hz * 10)
			return 0;
	return 1;
}
