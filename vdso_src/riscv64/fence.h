/* SPDX-License-Identifier: MIT */
/*
 * The fences of the data page's protocol: two of the reader, one of the writer. Zicsr counts reading the counter as
 * device input (i), so each fence names it: `fence r,r`, which Linux has here, does not order the counter. A kernel that
 * reads the counter between `fence rw,i` and `fence i,rw` has it in its place under a lock.
 */
#ifndef SCONS_VDSO_FENCE_H
#define SCONS_VDSO_FENCE_H

#include "language.h"

#ifdef __riscv
#define VDSO_FENCE(order) __asm__ __volatile__("fence " order ::: "memory")
#else /* tests run the kernel's side on the machine that builds */
#define VDSO_FENCE(order) __atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif

/* What was loaded before stays before the counter and all later loads. */
static inline void vdso_fence_load(void)
{
	VDSO_FENCE("r,ir");
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
	VDSO_FENCE("ir,r");
}

/*
 * The place that a reader loads again once it has the counter and all that it loaded before. Here a fence sees to that
 * order; on another architecture it may be an address that depends on the counter.
 */
static inline const void *vdso_place_again(const void *place, uint64_t counter)
{
	(void)counter;
	vdso_fence_reload();
	return place;
}

/* What was stored before, a writer's mark, stays before the counter and all later loads and stores. */
static inline void vdso_fence_mark(void)
{
	VDSO_FENCE("w,iorw");
}

#endif
