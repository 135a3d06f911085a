/* SPDX-License-Identifier: MIT */
/*
 * The fences of the data page's protocol: two of the reader, one of the writer. `dbar 0` lets no access to memory pass,
 * in either direction, and completes what stands before it; gcc and clang have weaker ones (`dbar 16`) for C's fences.
 * Nothing that was published says how it and `rdtime.d` are ordered; docs/memory-order.md tells what is assumed.
 */
#ifndef SCONS_VDSO_FENCE_H
#define SCONS_VDSO_FENCE_H

#include "language.h"

#ifdef __loongarch__
#define VDSO_FENCE() __asm__ __volatile__("dbar 0" ::: "memory")
#else /* tests run the kernel's side on the machine that builds */
#define VDSO_FENCE() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif

/* What was loaded before stays before the counter and all later loads. */
static inline void vdso_fence_load(void)
{
	VDSO_FENCE();
}

/* The same for a load by whose value the code has branched to here. Elsewhere that can be less. */
static inline void vdso_fence_branch(void)
{
	vdso_fence_load();
}

/* The same where no counter is read. */
static inline void vdso_fence_branch_loads(void)
{
	vdso_fence_branch();
}

/* The counter and what was loaded before stay before all later loads. */
static inline void vdso_fence_reload(void)
{
	VDSO_FENCE();
}

/*
 * The place that a reader loads again once it has the counter and all that it loaded before. The address depends on the
 * counter, too: so that load comes behind the counter even if a fence says nothing of it.
 */
static inline const void *vdso_place_again(const void *place, uint64_t counter)
{
	uint64_t zero = 0;

	vdso_fence_reload();
#ifdef __loongarch__
	__asm__("xor %0, %1, %1" : "=r"(zero) : "r"(counter)); /* a compiler would see that it is 0 */
#else
	(void)counter;
#endif
	return (const char *)place + zero;
}

/* What was stored before, a writer's mark, stays before the counter and all later loads and stores. */
static inline void vdso_fence_mark(void)
{
	VDSO_FENCE();
}

#endif
