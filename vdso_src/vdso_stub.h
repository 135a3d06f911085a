/* SPDX-License-Identifier: MIT */
/*
 * What a function of your own in the vDSO (EXTRA_SRC) may use. What it may not, and an example: docs/user-functions.md.
 *
 *	long VDSO_EXPORT(NAME)(...)	every global function of such a name is an export: it takes the place of the base's,
 *					or is new. Functions of other names are for yourself. export.h says what Linux
 *					calls an export on this architecture; the name may be written out as well.
 *
 *	vdso_extra(word)		a word of the kernel's own part of the data page, 0 to 63; zero after vdso_data_init
 *	vdso_data			the whole page, const: take its fields with VDSO_LOAD
 *	vdso_time(clock, &now)		1 and the time in now.sec, now.nsec; 0: ask the kernel (ids of Linux)
 *
 *	vdso_counter()			the counter; the hardware may move it before or behind loads
 *	vdso_fence_load()		loads before it stay before the counter and loads behind it
 *	vdso_fence_reload()		loads and the counter before it stay before loads behind it
 *	vdso_counter_in_order()		the counter between both fences
 *
 *	vdso_syscall0(number) to vdso_syscall6(number, ...)	a system call: its answer, -errno if it failed
 *
 * With DATA_PAGE=none the first three are not there; VDSO_TIMEBASE_HZ is, and VDSO_DATA_PAGE_NONE to tell.
 */
#ifndef VDSO_STUB_H
#define VDSO_STUB_H

#include <stdint.h>

#include "abi.h"
#include "counter.h"
#include "export.h"
#include "fence.h"
#include "syscall.h"

#ifdef VDSO_DATA_PAGE_NONE
uint64_t vdso_extra(unsigned word) __attribute__((error("there is no data page: take DATA_PAGE=after or before")));
#else
#include "read.h"

void vdso_extra_has_no_such_word(void) __attribute__((error("the kernel has the words 0 to 63 of the data page")));

/* One load, never split: what is in the word was stored as a whole. A word that only runs tell may wrap, never leave. */
static inline __attribute__((always_inline)) uint64_t vdso_extra(unsigned word)
{
	if (__builtin_constant_p(word) && word >= VDSO_EXTRA_WORDS)
		vdso_extra_has_no_such_word();
	return VDSO_LOAD(vdso_data.extra[word % VDSO_EXTRA_WORDS]);
}
#endif

static inline uint64_t vdso_counter_in_order(void)
{
	uint64_t counter;

	vdso_fence_load();
	counter = vdso_counter();
	vdso_fence_reload();
	return counter;
}

#endif
