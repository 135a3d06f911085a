/* SPDX-License-Identifier: MIT */
/* Reads from the device tree what the kernel must know of the machine (Devicetree Specification 0.4, chapter 5). */
#include "kernel.h"

enum { BEGIN_NODE = 1, END_NODE, PROP, NOP, END = 9 };
#define MAX_DEPTH 8

struct machine machine;

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
		machine.timebase_hz = number(value, size);
	} else if (starts_with(node, "memory@") && same(name, "reg")) {
		machine.memory = number(value, 8);
		machine.memory_end = machine.memory + number(value + 8, 8);
	} else if (same(node, "chosen")) {
		if (same(name, "bootargs"))
			machine.bootargs = (const char *)value;
		else if (same(name, "linux,initrd-start"))
			machine.initrd = number(value, size);
		else if (same(name, "linux,initrd-end"))
			machine.initrd_end = number(value, size);
	}
}

static void grandchild(const char *parent, const char *node, const char *name, const uint8_t *value, uint32_t size)
{
	if (same(parent, "cpus") && starts_with(node, "cpu@") && same(name, "reg") && machine.harts < MAX_HARTS)
		machine.hart_ids[machine.harts++] = number(value, size);
	else if (same(parent, "soc") && starts_with(node, "rtc@") && same(name, "reg"))
		machine.rtc = number(value, 8);
}

void fdt_read(const void *fdt)
{
	const uint8_t *start = fdt, *at = start + number(start + 8, 4), *strings = start + number(start + 12, 4);
	const char *path[MAX_DEPTH] = {0};
	unsigned depth = 0;

	machine.fdt = (uintptr_t)start;
	machine.fdt_end = machine.fdt + number(start + 4, 4);
	machine.bootargs = "";
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
