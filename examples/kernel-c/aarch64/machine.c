/* SPDX-License-Identifier: MIT */
/* QEMU's `virt`, without firmware: console, timer, interrupts (GICv2), other CPUs and power (PSCI), the time of day, the program. */
#include "kernel.h"

/* Devices, as boot.S maps them. */
#define DEVICES 0xffffff8000000000ul
#define GIC_DISTRIBUTOR (DEVICES + 0x08000000)
#define GIC_INTERFACE (DEVICES + 0x08010000)
#define UART (DEVICES + 0x09000000)
#define RTC (DEVICES + 0x09010000)
#define FW_CFG (DEVICES + 0x09020000)
#include "fw_cfg_memory.h"

/* Where the device tree lies for a kernel that is an ELF file (QEMU's manual on `virt`). */
#define MEMORY 0x40000000ul

/* Power State Coordination Interface (Arm DEN 0022) */
#define PSCI_SYSTEM_OFF 0x84000008u
#define PSCI_CPU_ON 0xc4000003u

/* Numbers of interrupts: one that CPUs send each other, and that of the virtual timer. */
#define WAKE 0
#define TIMER 27
#define TIMER_ENABLE 1
#define TIMER_MASK 2
#define NO_INTERRUPT 1020 /* and above */

struct machine machine;
void interrupts_start(void);
void cpu_entry(void);

static volatile uint32_t *device(uint64_t address)
{
	return (volatile uint32_t *)address;
}

static long psci(uint64_t function, uint64_t arg1, uint64_t arg2, uint64_t arg3)
{
	register uint64_t x0 __asm__("x0") = function;
	register uint64_t x1 __asm__("x1") = arg1;
	register uint64_t x2 __asm__("x2") = arg2;
	register uint64_t x3 __asm__("x3") = arg3;

	__asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12",
			 "x13", "x14", "x15", "x16", "x17", "memory");
	return (long)x0;
}

void power_off(void)
{
	psci(PSCI_SYSTEM_OFF, 0, 0, 0);
	for (;;)
		cpu_idle();
}

/* The other CPU gets the address of its record. */
int cpu_start(const struct cpu *cpu)
{
	__asm__ volatile("dsb ish" ::: "memory");
	return psci(PSCI_CPU_ON, cpu->id, (uintptr_t)cpu_entry, (uintptr_t)cpu) == 0;
}

void console_put(char character)
{
	while (*device(UART + 0x18) & 0x20) /* the transmitter is full */
		;
	*device(UART) = (uint8_t)character;
}

/* Returns the nanoseconds since 1970 of the PL031, which counts seconds. */
uint64_t wall_clock(void)
{
	return (uint64_t)*device(RTC) * NSEC_PER_SEC;
}

/* Lets this CPU see the interrupts of its timer and of other CPUs. */
void interrupts_start(void)
{
	*device(GIC_DISTRIBUTOR) = 1;
	*device(GIC_DISTRIBUTOR + 0x100) = 1u << TIMER | 1u << WAKE;
	*device(GIC_INTERFACE + 4) = 0xff; /* of every priority */
	*device(GIC_INTERFACE) = 1;
}

void cpu_wake(const struct cpu *cpu)
{
	__asm__ volatile("dsb ish" ::: "memory");
	*device(GIC_DISTRIBUTOR + 0xf00) = 1u << (16 + cpu->id) | WAKE;
}

void timer_set(uint64_t counter)
{
	register_write(cntv_cval_el0, counter);
	register_write(cntv_ctl_el0, counter == FOREVER ? 0 : TIMER_ENABLE);
}

/* Takes back the interrupts that are pending. Returns whether the timer's was among them: it comes no more until it is set anew. */
int cpu_interrupts(void)
{
	int timer = 0;

	for (;;) {
		uint32_t number = *device(GIC_INTERFACE + 0xc);

		if ((number & 1023) >= NO_INTERRUPT)
			return timer;
		if ((number & 1023) == TIMER) {
			register_write(cntv_ctl_el0, TIMER_ENABLE | TIMER_MASK);
			timer = 1;
		}
		*device(GIC_INTERFACE + 0x10) = number;
	}
}

/* Returns the end of memory, which the device tree says (Devicetree Specification 0.4, chapter 5); 0 if it does not. */
static uint64_t memory_end(void)
{
	enum { BEGIN_NODE = 1, END_NODE, PROP, NOP };
	const uint32_t *tree = (const uint32_t *)MEMORY, *at = tree + __builtin_bswap32(tree[2]) / 4;
	const char *names = (const char *)tree + __builtin_bswap32(tree[3]);
	int in_memory = 0;

	for (;;) {
		switch (__builtin_bswap32(*at++)) {
		case BEGIN_NODE:
			in_memory = starts_with((const char *)at, "memory@");
			at += strlen((const char *)at) / 4 + 1;
			break;
		case PROP:
			if (in_memory && starts_with(names + __builtin_bswap32(at[1]), "reg"))
				return ((uint64_t)__builtin_bswap32(at[2]) << 32 | __builtin_bswap32(at[3])) +
				       ((uint64_t)__builtin_bswap32(at[4]) << 32 | __builtin_bswap32(at[5]));
			at += 2 + (__builtin_bswap32(at[0]) + 3) / 4;
			break;
		case END_NODE:
		case NOP:
			break;
		default:
			return 0;
		}
	}
}

/* Memory and devices have fixed places. How much memory there is says the device tree, and all else QEMU's fw_cfg. */
void machine_read(uint64_t unused)
{
	(void)unused;
	machine.memory = (struct range){MEMORY, memory_end()};
	machine.kernel = (struct range){MEMORY, MEMORY + GIGA};
	if (machine.memory.end > machine.kernel.end)
		machine.memory.end = machine.kernel.end;
	machine.counter_hz = register_read(cntfrq_el0);
	*device(UART + 0x30) = 0x301; /* the UART and its transmitter are on */
	fw_cfg_machine();
}
