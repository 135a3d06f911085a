/* SPDX-License-Identifier: MIT */
/* The parts of the selftest that can't be said in C, and the names of this architecture. */
#ifndef SELFTEST_MACHINE_H
#define SELFTEST_MACHINE_H

#include <stdint.h>

#include "export.h"
#include "numbers.h"
#include "plain_execute.h"

#define MACHINE_ELF 183 /* EM_AARCH64 */
#define MACHINE_VERSION "LINUX_2.6.39"
#define MACHINE_CPU "CPU"
#define MACHINE_COUNTER "cntvct_el0"
#define MACHINE_COUNTER_BIT "CNTKCTL_EL1.EL0VCTEN (the kernel's)"

/* The argument of rt_sigaction (arch/arm64/include/uapi/asm/signal.h): without a restorer, handlers return to the vDSO. */
struct machine_sigaction {
	void (*handler)(int signal, void *info, void *context);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

static inline struct machine_sigaction machine_action(void (*handler)(int, void *, void *), unsigned long flags)
{
	return (struct machine_sigaction){ .handler = handler, .flags = flags };
}

/* Bytes from the third argument of a signal handler to the pc of the interrupted code: struct ucontext of Linux. */
#define MACHINE_CONTEXT_PC 440

/* Exports beside those of the clock, and their system calls: none. */
#define MACHINE_OTHERS

/* Unwinders know the return from a signal handler by this code: mov x8, #139; svc #0. */
#define MACHINE_SIGRETURN_CODE 0xd4000001d2801168u
#define MACHINE_RESTORER 0 /* handlers return to the vDSO */
#define MACHINE_RETURN "to " VDSO_EXPORT_PREFIX "rt_sigreturn, where the image is + VDSO_SYM_RT_SIGRETURN"

/* Runs an instruction that is illegal on every CPU. In data, four zero bytes are such an instruction too. */
void machine_illegal(uint64_t unused);

#endif
