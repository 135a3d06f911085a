/* SPDX-License-Identifier: MIT */
/* The parts of the selftest that can't be said in C, and the names of this architecture. */
#ifndef SELFTEST_MACHINE_H
#define SELFTEST_MACHINE_H

#include <stdint.h>

#include "export.h"
#include "numbers.h"

#define MACHINE_ELF 62 /* EM_X86_64 */
#define MACHINE_VERSION "LINUX_2.6"
#define MACHINE_CPU "CPU"
#define MACHINE_COUNTER "rdtsc"
#define MACHINE_COUNTER_BIT "CR4.TSD, which must be 0 (the kernel's)"

/* The argument of rt_sigaction (arch/x86/include/uapi/asm/signal.h). The restorer is not optional here. */
struct machine_sigaction {
	void (*handler)(int signal, void *info, void *context);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

/* Makes the system call rt_sigreturn; handlers return to it. */
void machine_restorer(void);

static inline struct machine_sigaction machine_action(void (*handler)(int, void *, void *), unsigned long flags)
{
	const unsigned long has_restorer = 0x04000000; /* SA_RESTORER */

	return (struct machine_sigaction){ handler, flags | has_restorer, machine_restorer, 0 };
}

/* Bytes from the third argument of a signal handler to the pc of the interrupted code: struct ucontext of Linux. */
#define MACHINE_CONTEXT_PC 168

/* Exports beside those of the clock, and their system calls. */
#define MACHINE_OTHERS \
	{ VDSO_EXPORT_PREFIX "getcpu", VDSO_NR_GETCPU }, { VDSO_EXPORT_PREFIX "time", VDSO_NR_TIME },

/* Handlers return to the program's own code, so no code of the kernel's is known to unwinders. */
#define MACHINE_SIGRETURN_CODE 0x0u
#define MACHINE_RESTORER ((uint64_t)machine_restorer)
#define MACHINE_RETURN "where sa_restorer of rt_sigaction says"

/* Runs an instruction that is illegal on every CPU. */
void machine_illegal(uint64_t unused);

/*
 * Runs the zeros at an address. Two of them are `add %al, (%rax)`, which here adds 1 to the second of 256 aligned bytes. From
 * two bytes on it is an odd number of them to the end of any page or row, so that the byte does not come back to 0.
 */
static inline void machine_execute(uint64_t address, volatile uint8_t *written)
{
	volatile uint8_t *second = written + 1;

	__asm__ volatile("call *%1" : "+a"(second) : "r"(address + 2) : "memory", "cc");
}

#endif
