/* SPDX-License-Identifier: MIT */
/*
 * Everything that a function of your own in the vDSO (EXTRA_SRC) may use. docs/user-functions.md says what it may not do, and
 * has examples.
 *
 *	long VDSO_EXPORT(NAME)(...)	every global function with such a name is an export: it replaces that of the base,
 *					or is new. Functions with other names are not exported. export.h has the names
 *					of exports on this architecture; you may also write the name out.
 *
 *	vdso_extra(word)		a word of the kernel's own part of the data page, 0 to 63; zero after vdso_data_init
 *	vdso_data			the whole page, const: take its fields with VDSO_LOAD
 *	vdso_time(clock, &now)		1 and the time in now.sec, now.nsec; 0: ask the kernel (ids of Linux)
 *
 *	vdso_counter()			the counter, behind all loads and stores before it and before all that follow
 *	vdso_counter_unordered()	the counter, which the hardware may read before or behind loads and stores
 *	vdso_fence_load()		loads before it stay before the counter and loads behind it
 *	vdso_fence_reload()		loads and the counter before it stay before loads behind it
 *
 *	vdso_syscall0(number) to vdso_syscall6(number, ...)	a system call: its answer, -errno if it failed
 *
 * With DATA_PAGE=none vdso_extra, vdso_data and vdso_time are missing; VDSO_TIMEBASE_HZ and VDSO_DATA_PAGE_NONE are defined.
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

/* Loads a word in one access, so it is never torn. An index that is known only at run time wraps, and never leaves the page. */
static inline __attribute__((always_inline)) uint64_t vdso_extra(unsigned word)
{
	if (__builtin_constant_p(word) && word >= VDSO_EXTRA_WORDS)
		vdso_extra_has_no_such_word();
	/* Not VDSO_LOAD: gcc would reach these words from an address beyond the page, which nothing may form. */
	return __atomic_load_n(&vdso_data.extra[word % VDSO_EXTRA_WORDS], __ATOMIC_RELAXED);
}
#endif

#endif
