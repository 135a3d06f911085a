/* SPDX-License-Identifier: MIT */
/*
 * The fences of the data page's protocol: two of the reader, one of the writer. `rdtsc` is no access to memory, so what
 * orders those does not hold it (Intel SDM, RDTSC): it waits for `lfence` alone, which waits for all instructions before it.
 * Loads stay in their order by themselves. What comes behind the counter must depend on it, or stand behind an `lfence`.
 *
 * On CPUs of AMD `lfence` is that only if the kernel sets bit 1 of MSR 0xc0011029, or where CPUID 0x80000021 EAX bit 2 says
 * that it always is.
 */
#ifndef SCONS_VDSO_FENCE_H
#define SCONS_VDSO_FENCE_H

#include "language.h"

#ifdef __x86_64__
#define VDSO_FENCE(instructions) __asm__ __volatile__(instructions ::: "memory")
#else /* tests run the kernel's side on the machine that builds */
#define VDSO_FENCE(instructions) __atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif

/* What was loaded before stays before the counter and all later loads. */
static inline void vdso_fence_load(void)
{
	VDSO_FENCE("lfence");
}

/* The same for a load by whose value the code has branched to here: a branch may be predicted, so it holds nothing. */
static inline void vdso_fence_branch(void)
{
	vdso_fence_load();
}

/* The same where no counter is read: loads stay in their order by themselves, and only the compiler is held. */
static inline void vdso_fence_branch_loads(void)
{
	VDSO_FENCE("");
}

/* The counter and what was loaded before stay before all later loads. */
static inline void vdso_fence_reload(void)
{
	VDSO_FENCE("lfence");
}

/* The place that a reader loads again once it has the counter: the address depends on that. */
static inline const void *vdso_place_again(const void *place, uint64_t counter)
{
#ifdef __x86_64__
	uint64_t zero = counter;

	/* not by `xor`, which depends on nothing where both operands are the same register */
	__asm__ __volatile__("andl $0, %k0" : "+r"(zero) : : "memory", "cc");
#else
	const uint64_t zero = 0;

	(void)counter;
	VDSO_FENCE("");
#endif
	return (const char *)place + zero;
}

/* What was stored before, a writer's mark, stays before the counter and all later loads and stores. */
static inline void vdso_fence_mark(void)
{
	VDSO_FENCE("mfence\n\tlfence");
}

#endif
