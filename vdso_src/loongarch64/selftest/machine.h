/* SPDX-License-Identifier: MIT */
/* The parts of the selftest that can't be said in C, and the names of this architecture. */
#ifndef SELFTEST_MACHINE_H
#define SELFTEST_MACHINE_H

#include <stdint.h>

#include "export.h"
#include "numbers.h"
#include "plain_execute.h"

#define MACHINE_ELF 258 /* EM_LOONGARCH */
#define MACHINE_VERSION "LINUX_5.10"
#define MACHINE_CPU "CPU"
#define MACHINE_COUNTER "rdtime.d"
#define MACHINE_COUNTER_BIT "CSR.MISC.DRDTL3, which must be 0 (the kernel's)"

/* The argument of rt_sigaction (include/uapi/asm-generic/signal.h). */
struct machine_sigaction {
	void (*handler)(int signal, void *info, void *context);
	unsigned long flags;
	uint64_t mask;
};

static inline struct machine_sigaction machine_action(void (*handler)(int, void *, void *), unsigned long flags)
{
	return (struct machine_sigaction){ .handler = handler, .flags = flags };
}

/* Bytes from the third argument of a signal handler to the pc of the interrupted code: struct ucontext of Linux. */
#define MACHINE_CONTEXT_PC 176

/* Exports beside those of the clock, and their system calls. */
#define MACHINE_OTHERS { VDSO_EXPORT_PREFIX "getcpu", VDSO_NR_GETCPU },

/* Unwinders know the return from a signal handler by this code: ori $a7, $zero, 139; syscall 0. */
#define MACHINE_SIGRETURN_CODE 0x002b000003822c0bu
#define MACHINE_RESTORER 0 /* handlers return to the vDSO */
#define MACHINE_RETURN "to " VDSO_EXPORT_PREFIX "rt_sigreturn, where the image is + VDSO_SYM_RT_SIGRETURN"

/* Runs an instruction that is illegal on every CPU. In data, four zero bytes are no instruction either. */
void machine_illegal(uint64_t unused);

#endif
