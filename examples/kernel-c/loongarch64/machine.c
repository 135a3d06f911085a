/* SPDX-License-Identifier: MIT */
/* QEMU's `virt`, without firmware: console, timer, interrupts between CPUs, power, the time of day, the program. */
#include "kernel.h"

/* Devices, as boot.S maps them. */
#define DEVICES 0x8000000000000000ul
#define UART (DEVICES + 0x1fe001e0)
#define FW_CFG (DEVICES + 0x1e020000)
#define POWER (DEVICES + 0x100e001c)
#define RTC (DEVICES + 0x100d0100)
#include "fw_cfg_memory.h"

/* Registers of each CPU, for iocsrrd and iocsrwr (Loongson 3A5000 manual, 10.2). */
#define IPI_STATUS 0x1000
#define IPI_ENABLE 0x1004
#define IPI_CLEAR 0x100c
#define IPI_SEND 0x1040
#define MAIL_SEND 0x1048
#define SEND_AND_WAIT (1ul << 31)

#define LOW_MEMORY_END 0x10000000ul

struct machine machine;
uint32_t cpus_may_start, cpus_started; /* the second counts those that boot.S has let go on */

static void iocsr_write(uint32_t reg, uint32_t value)
{
	__asm__ volatile("iocsrwr.w %0, %1" ::"r"(value), "r"(reg) : "memory");
}

static void iocsr_write64(uint32_t reg, uint64_t value)
{
	__asm__ volatile("iocsrwr.d %0, %1" ::"r"(value), "r"(reg) : "memory");
}

static uint32_t iocsr_read(uint32_t reg)
{
	uint32_t value;

	__asm__ volatile("iocsrrd.w %0, %1" : "=r"(value) : "r"(reg) : "memory");
	return value;
}

void console_put(char character)
{
	volatile uint8_t *uart = (volatile uint8_t *)UART;

	while (!(uart[5] & 0x20)) /* the transmitter is full */
		;
	uart[0] = (uint8_t)character;
}

/* The timer counts down, at the rate of the counter and in steps of 4. */
void timer_set(uint64_t counter)
{
	uint64_t now = counter_now(), ticks = counter > now ? counter - now : 0;

	if (counter == FOREVER)
		csr_write(TCFG, 0);
	else
		csr_write(TCFG, ((ticks < 1ul << 40 ? ticks : 1ul << 40) + 4) / 4 << 2 | 1);
}

void cpu_wake(const struct cpu *cpu)
{
	iocsr_write(IPI_SEND, (uint32_t)(SEND_AND_WAIT | cpu->id << 16));
}

/* Lets other CPUs interrupt this one. */
void cpu_hear(void)
{
	iocsr_write(IPI_ENABLE, 0xffffffff);
}

/* Takes back what they have sent. */
void cpu_heard(void)
{
	iocsr_write(IPI_CLEAR, iocsr_read(IPI_STATUS));
}

/*
 * QEMU 7.2 has started all CPUs, and they wait for a word; with newer versions they wait for an address in their mailbox. Such a CPU
 * may still be on its way to where it waits, and empties its mailbox there: so it is called again until it has come.
 */
int cpu_start(const struct cpu *cpu)
{
	static uint32_t called;
	uint64_t start = counter_now();

	called++;
	__atomic_store_n(&cpus_may_start, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&cpus_started, __ATOMIC_SEQ_CST) < called) {
		uint64_t now = counter_now();

		if (now - start > machine.counter_hz * 10)
			return 0;
		for (unsigned half = 0; half < 2; half++) {
			uint64_t part = (uintptr_t)_start >> (32 * half) & 0xffffffff;

			iocsr_write64(MAIL_SEND, part << 32 | SEND_AND_WAIT | cpu->id << 16 | half << 2);
		}
		cpu_wake(cpu);
		while (counter_now() - now < machine.counter_hz / 1000)
			;
	}
	return 1;
}

void power_off(void)
{
	*(volatile uint8_t *)POWER = 0x34;
	for (;;)
		;
}

/* Returns the nanoseconds since 1970 of the clock of the 7A bridge, which is set to UTC and counts years from 1900. */
uint64_t wall_clock(void)
{
	volatile const uint32_t *toy = (volatile const uint32_t *)(RTC + 0x2c);
	uint32_t year, now, again;

	do {
		now = toy[0];
		year = toy[1];
		again = toy[0];
	} while (now != again);
	/* Days are counted from March: February, whose length varies, comes last. */
	uint64_t month = now >> 26, years = 1900ul + year - (month < 3), since = month < 3 ? month + 9 : month - 3;
	uint64_t days = years * 365 + years / 4 - years / 100 + years / 400 + (since * 153 + 2) / 5 + (now >> 21 & 31) - 1 - 719468;
	uint64_t seconds = (now >> 16 & 31) * 3600 + (now >> 10 & 63) * 60 + (now >> 4 & 63);
	return (days * 86400 + seconds) * NSEC_PER_SEC + (now & 15) * (NSEC_PER_SEC / 10);
}

/* Returns the counter's frequency (LoongArch Reference Manual, Volume 1, 2.2.10.5); 0 where CPUCFG does not say it. */
static uint64_t counter_hz(void)
{
	uint32_t ratio = cpucfg(5);

	return cpucfg(2) & 1 << 14 ? (uint64_t)cpucfg(4) * (ratio & 0xffff) / (ratio >> 16) : 0;
}

/* There is nothing to read at an address: QEMU tells all in fw_cfg. It has 256 MiB of memory at 0, and more elsewhere. */
void machine_read(uint64_t unused)
{
	(void)unused;
	machine.memory = (struct range){0, LOW_MEMORY_END};
	machine.counter_hz = counter_hz();
	fw_cfg_machine();
}
