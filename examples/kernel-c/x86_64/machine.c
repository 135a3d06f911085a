/* SPDX-License-Identifier: MIT */
/* A PC, as QEMU's `pc` is one: console, power, the time of day, memory, the program. */
#include "kernel.h"
#include "machine.h"
#include "ports.h"

#define UART 0x3f8
#define CMOS 0x70
#define PIC_MASK_1 0x21
#define PIC_MASK_2 0xa1
#define POWER 0x604 /* PM1a control of the PIIX4, where SeaBIOS puts it */
#define SLEEP_ENABLE 0x2000
#define FW_CFG 0x510

struct machine machine;

/* What PVH tells (Xen, include/public/arch-x86/hvm/start_info.h). */
#define PVH_MAGIC 0x336ec578
#define PVH_RAM 1

struct pvh {
	uint32_t magic, version, flags, modules;
	uint64_t module_list, words, acpi, map;
	uint32_t map_entries, reserved;
};

struct pvh_range {
	uint64_t start, size;
	uint32_t type, reserved;
};

/* fw_cfg: an item is selected by one port, and its bytes come by the next. */
static void fw_cfg_select(uint16_t key)
{
	out16(FW_CFG, key);
}

static void fw_cfg_read(void *to, size_t size)
{
	for (uint8_t *at = to; size--; at++)
		*at = in(FW_CFG + 1);
}

#include "fw_cfg.h"

void power_off(void)
{
	out16(POWER, SLEEP_ENABLE);
	for (;;)
		;
}

void console_put(char character)
{
	while (!(in(UART + 5) & 0x20)) /* the transmitter is full */
		;
	out(UART, (uint8_t)character);
}

static uint8_t cmos(uint8_t place)
{
	out(CMOS, place);
	return in(CMOS + 1);
}

/* Returns a number of two decimal digits, four bits each. */
static uint64_t cmos_number(uint8_t place)
{
	uint8_t digits = cmos(place);

	return digits / 16 * 10u + digits % 16;
}

/* Returns the nanoseconds since 1970 of the real-time clock, which QEMU sets to UTC, in decimal digits. */
uint64_t wall_clock(void)
{
	uint64_t year, month, day, seconds, second;

	do {
		while (cmos(0xa) & 0x80) /* it changes just now */
			;
		second = cmos_number(0);
		seconds = cmos_number(4) * 3600 + cmos_number(2) * 60 + second;
		day = cmos_number(7);
		month = cmos_number(8);
		year = cmos_number(0x32) * 100 + cmos_number(9);
	} while (cmos(0xa) & 0x80 || cmos_number(0) != second);
	/* Days are counted from March: February, whose length varies, comes last. */
	uint64_t years = year - (month < 3), since = month < 3 ? month + 9 : month - 3;
	uint64_t days = years * 365 + years / 4 - years / 100 + years / 400 + (since * 153 + 2) / 5 + day - 1 - 719468;
	return (days * 86400 + seconds) * NSEC_PER_SEC;
}

/* Returns the end of the memory that the kernel is in, as far as boot.S has mapped it; 0 if nobody says it. */
static uint64_t memory_end(const struct pvh *pvh, uint64_t kernel)
{
	if (pvh->magic != PVH_MAGIC || pvh->version < 1)
		return 0;
	const struct pvh_range *range = (const struct pvh_range *)(KERNEL_BASE + pvh->map);
	for (unsigned i = 0; i < pvh->map_entries; i++, range++)
		if (range->type == PVH_RAM && range->start <= kernel && kernel - range->start < range->size)
			return KERNEL_BASE + (range->start + range->size < GIGA ? range->start + range->size : GIGA);
	return 0;
}

/* How much memory there is says PVH, and all else QEMU's fw_cfg. QEMU gives CPUs their numbers without a gap. */
void machine_read(uint64_t start_info)
{
	extern uint8_t kernel_end[];

	out(PIC_MASK_1, 0xff); /* the interrupts of devices stay away */
	out(PIC_MASK_2, 0xff);
	machine.memory.end = memory_end((const struct pvh *)(KERNEL_BASE + start_info), physical(kernel_end));
	machine.memory.start = KERNEL_BASE;
	tsc_measure();
	fw_cfg_machine();
}
