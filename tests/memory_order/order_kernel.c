/* SPDX-License-Identifier: MIT */
/* Updates of the page as a kernel makes them, and messages: order_scenarios.py takes the events from this code. */
#include "counter.h"
#include "vdso_data.h"

#define DONE(call) ((void)!(call)) /* What was answered changes nothing in memory, which is all that is looked at. */

#ifndef UPDATES_ELSEWHERE /* in order_kernel.rs */
/* `update_`: the counter is read after begin, as vdso_data.h demands; `early_`: before it, as it forbids. */
#define UPDATE(name, call)                                                                     \
	void update_##name(struct vdso_data *d, int64_t a, uint32_t b)                         \
	{                                                                                      \
		uint64_t counter;                                                              \
		vdso_data_begin(d);                                                            \
		counter = vdso_counter_unordered();                                            \
		call;                                                                          \
		vdso_data_end(d);                                                              \
		(void)a, (void)b, (void)counter;                                               \
	}                                                                                      \
	void early_##name(struct vdso_data *d, int64_t a, uint32_t b)                          \
	{                                                                                      \
		uint64_t counter = vdso_counter_unordered();                                   \
		vdso_data_begin(d);                                                            \
		call;                                                                          \
		vdso_data_end(d);                                                              \
		(void)a, (void)b, (void)counter;                                               \
	}

UPDATE(set_realtime, DONE(vdso_data_set_realtime(d, counter, a, b)))
UPDATE(set_monotonic, DONE(vdso_data_set_monotonic(d, counter, a, b)))
UPDATE(adjust, DONE(vdso_data_adjust(d, counter, a)))
UPDATE(set_tai_offset, vdso_data_set_tai_offset(d, (int32_t)a))
UPDATE(suspend, DONE(vdso_data_suspend(d, counter)))
UPDATE(resume, DONE(vdso_data_resume(d, counter, (uint64_t)a)))
UPDATE(set_tick, DONE(vdso_data_set_tick(d, counter, (uint32_t)a)))
UPDATE(tick, DONE(vdso_data_tick(d, counter)))
UPDATE(disable, vdso_data_disable(d))

/* Without begin and end, where that is legal. */
void bare_init(struct vdso_data *d, int64_t a) { DONE(vdso_data_init(d, (uint64_t)a)); }
void bare_set_realtime(struct vdso_data *d, int64_t a, uint32_t b) { DONE(vdso_data_set_realtime(d, vdso_counter_unordered(), a, b)); }
void bare_set_tai_offset(struct vdso_data *d, int64_t a) { vdso_data_set_tai_offset(d, (int32_t)a); }
void bare_tick(struct vdso_data *d) { DONE(vdso_data_tick(d, vdso_counter_unordered())); }
void bare_disable(struct vdso_data *d) { vdso_data_disable(d); }
#endif

/*
 * Release store and acquire load as compilers make them (RISC-V psABI, "Memory order mapping"): the least that a program
 * does that passes a message, and a kernel that hands its lock on.
 */
void tell(uint64_t *flag) { __asm__ volatile("fence rw,w\n\tsd %1, %0" : "=m"(*flag) : "r"(1L) : "memory"); }
uint64_t told(const uint64_t *flag)
{
	uint64_t value;

	__asm__ volatile("ld %0, %1\n\tfence r,rw" : "=r"(value) : "m"(*flag) : "memory");
	return value;
}

/* The kernel's own clock_gettime, which answers when it has left the lock; without and with fences for the counter. */
#define SYSTEM_CALL(name, read)                                                                \
	void name(const struct vdso_data *d, int64_t *answer, int clock, const uint64_t *lock, \
		  uint64_t *unlock)                                                            \
	{                                                                                      \
		uint64_t counter;                                                              \
		int64_t sec = 0;                                                               \
		uint32_t nsec = 0;                                                             \
		told(lock);                                                                    \
		counter = read;                                                                \
		DONE(vdso_data_read(d, clock, counter, &sec, &nsec));                          \
		tell(unlock);                                                                  \
		answer[0] = sec;                                                               \
		answer[1] = nsec;                                                              \
	}

SYSTEM_CALL(system_call, vdso_counter_unordered())
SYSTEM_CALL(system_call_fenced, vdso_counter())
