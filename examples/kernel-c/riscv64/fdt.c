/* SPDX-License-Identifier: MIT */
/* Reads from the device tree what the kernel must know of the machine (Devicetree Specification 0.4, chapter 5). */
#include "kernel.h"

enum { BEGIN_NODE = 1, END_NODE, PROP, NOP, END = 9 };
#define MAX_DEPTH 8

struct machine machine;
static uint64_t rtc; /* address of a goldfish real time clock, 0: there is none */

static uint64_t number(const uint8_t *bytes, uint32_t size)
{
	uint64_t value = 0;

	while (size--)
		value = value << 8 | *bytes++;
	return value;
}

static int same(const char *a, const char *b)
{
	return starts_with(a, b) && starts_with(b, a);
}

static void root_child(const char *node, const char *name, const uint8_t *value, uint32_t size)
{
	if (same(node, "cpus") && same(name, "timebase-frequency")) {
		machine.counter_hz = number(value, size);
	} else if (starts_with(node, "memory@") && same(name, "reg")) {
		machine.memory.start = number(value, 8);
		machine.memory.end = machine.memory.start + number(value + 8, 8);
	} else if (same(node, "chosen")) {
		if (same(name, "bootargs"))
			machine.words = (const char *)value;
		else if (same(name, "linux,initrd-start"))
			machine.program.start = number(value, size);
		else if (same(name, "linux,initrd-end"))
			machine.program.end = number(value, size);
	}
}

static void grandchild(const char *parent, const char *node, const char *name, const uint8_t *value, uint32_t size)
{
	if (same(parent, "cpus") && starts_with(node, "cpu@") && same(name, "reg") && machine.cpus < MAX_CPUS)
		machine.cpu_ids[machine.cpus++] = number(value, size);
	else if (same(parent, "soc") && starts_with(node, "rtc@") && same(name, "reg"))
		rtc = number(value, 8);
}

static void read_tree(const uint8_t *start)
{
	const uint8_t *at = start + number(start + 8, 4), *strings = start + number(start + 12, 4);
	const char *path[MAX_DEPTH] = {0};
	unsigned depth = 0;

	for (;;) {
		uint64_t token = number(at, 4);

		at += 4;
		if (token == BEGIN_NODE) {
			if (depth < MAX_DEPTH)
				path[depth] = (const char *)at;
			depth++;
			at += (strlen((const char *)at) + 4) & ~3ul;
		} else if (token == END_NODE) {
			depth--;
		} else if (token == PROP) {
			uint32_t size = (uint32_t)number(at, 4);
			const char *name = (const char *)strings + number(at + 4, 4);

			if (depth == 2)
				root_child(path[1], name, at + 8, size);
			else if (depth == 3)
				grandchild(path[1], path[2], name, at + 8, size);
			at += 8 + ((size + 3) & ~3u);
		} else if (token != NOP) {
			return;
		}
	}
}

/* The kernel and all memory lie in one GiB, where a program has nothing. `tree`: the address of the device tree. */
void machine_read(uint64_t tree)
{
	const uint8_t *start = (const uint8_t *)tree;

	machine.words = "";
	read_tree(start);
	machine.kernel.start = machine.memory.start / GIGA * GIGA;
	machine.kernel.end = machine.kernel.start + GIGA;
	if (machine.memory.end > machine.kernel.end)
		machine.memory.end = machine.kernel.end;
	machine.taken[0] = machine.program;
	machine.taken[1] = (struct range){tree, tree + number(start + 4, 4)};
}

/* Returns the nanoseconds since 1970 of a goldfish real time clock; a read of its low word latches the high one. */
uint64_t wall_clock(void)
{
	volatile const uint32_t *clock = (const uint32_t *)rtc;

	if (!clock)
		return 0;
	uint64_t low = clock[0];
	return (uint64_t)clock[1] << 32 | low;
}
