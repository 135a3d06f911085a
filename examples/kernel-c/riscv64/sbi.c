/* SPDX-License-Identifier: MIT */
/* Calls the firmware, by the RISC-V SBI specification 0.3 and later (OpenSBI 1.0 and later). */
#include "kernel.h"

#define SBI_PUTCHAR 0x01 /* of the legacy extension: OpenSBI 1.1 has no other console */
#define SBI_TIME 0x54494d45
#define SBI_IPI 0x735049
#define SBI_HSM 0x48534d
#define SBI_SRST 0x53525354
#define SBI_PMU 0x504d55

#define PMU_START_FROM_ZERO 6
#define PMU_ILLEGAL_INSN 0xf0004 /* firmware event 4: illegal instructions that reached M-mode */

struct answer {
	long error, value;
};

static struct answer call(long extension, long function, uint64_t arg0, uint64_t arg1, uint64_t arg2, uint64_t arg3)
{
	register uint64_t a0 __asm__("a0") = arg0;
	register uint64_t a1 __asm__("a1") = arg1;
	register uint64_t a2 __asm__("a2") = arg2;
	register uint64_t a3 __asm__("a3") = arg3;
	register uint64_t a4 __asm__("a4") = 0;
	register long a6 __asm__("a6") = function;
	register long a7 __asm__("a7") = extension;

	__asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a3), "r"(a4), "r"(a6), "r"(a7) : "memory");
	return (struct answer){(long)a0, (long)a1};
}

void console_put(char character)
{
	call(SBI_PUTCHAR, 0, (uint8_t)character, 0, 0, 0);
}

void timer_set(uint64_t counter)
{
	call(SBI_TIME, 0, counter, 0, 0, 0);
}

void cpu_wake(const struct cpu *cpu)
{
	call(SBI_IPI, 0, 1, cpu->id, 0, 0);
}

int cpu_start(const struct cpu *cpu)
{
	return call(SBI_HSM, 0, cpu->id, (uintptr_t)_start, 0, 0).error == 0;
}

/* Starts the firmware's counter of illegal instructions on this hart, from 0. The firmware numbers its counters. */
void cpu_count_traps(struct cpu *cpu)
{
	long counters = call(SBI_PMU, 0, 0, 0, 0, 0).value;
	struct answer found = call(SBI_PMU, 2, 0, (1ul << counters) - 1, PMU_START_FROM_ZERO, PMU_ILLEGAL_INSN);

	if (found.error)
		panic("the firmware does not count illegal instructions (SBI PMU)\n");
	cpu->traps = (uint64_t)found.value;
}

/* Returns the illegal instructions of this hart that reached M-mode: reads of a counter that is forbidden, and no others here. */
uint64_t cpu_counter_traps(const struct cpu *cpu)
{
	return (uint64_t)call(SBI_PMU, 5, cpu->traps, 0, 0, 0).value;
}

void power_off(void)
{
	call(SBI_SRST, 0, 0, 0, 0, 0);
	for (;;)
		__asm__ volatile("wfi");
}
