/* SPDX-License-Identifier: MIT */
/*
 * The fences of the data page's protocol: two of the reader, one of the writer. The counter is a system register, which no
 * barrier for memory orders: `isb` holds a read of it behind a branch or a `dsb` that waits for memory (Arm ARM, "The
 * Generic Timer": reads of the counter can be speculative and out of order). What comes behind the counter must depend on it,
 * or stand behind an `isb`.
 */
#ifndef SCONS_VDSO_FENCE_H
#define SCONS_VDSO_FENCE_H

#include "language.h"

#ifdef __aarch64__
#define VDSO_FENCE(instructions) __asm__ __volatile__(instructions ::: "memory")
#else /* tests run the kernel's side on the machine that builds */
#define VDSO_FENCE(instructions) __atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif

/* What was loaded before stays before the counter and all later loads. */
static inline void vdso_fence_load(void)
{
	VDSO_FENCE("dsb ishld\n\tisb");
}

/* The same for a load by whose value the code has branched to here: the branch waits for it, and `isb` for the branch. */
static inline void vdso_fence_branch(void)
{
	VDSO_FENCE("isb");
}

/* The same where no counter is read. */
static inline void vdso_fence_branch_loads(void)
{
	vdso_fence_branch();
}

/* The counter and what was loaded before stay before all later loads. */
static inline void vdso_fence_reload(void)
{
	VDSO_FENCE("dmb ishld\n\tisb");
}

/*
 * The place that a reader loads again once it has the counter and all that it loaded before: the address depends on the
 * counter, and the barrier is for the loads.
 */
static inline const void *vdso_place_again(const void *place, uint64_t counter)
{
	uint64_t zero = 0;

#ifdef __aarch64__
	/* a compiler would see that it is 0 */
	__asm__ __volatile__("dmb ishld\n\teor %0, %1, %1" : "=r"(zero) : "r"(counter) : "memory");
#else
	(void)counter;
	VDSO_FENCE("");
#endif
	return (const char *)place + zero;
}

/* What was stored before, a writer's mark, stays before the counter and all later loads and stores. */
static inline void vdso_fence_mark(void)
{
	VDSO_FENCE("dsb ish\n\tisb");
}

#endif
