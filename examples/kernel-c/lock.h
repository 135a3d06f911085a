/* SPDX-License-Identifier: MIT */
/*
 * A spinlock. It is not fair: under QEMU with fewer processors than CPUs, the CPU whose turn it is may not be running.
 * The kernel never takes an interrupt, so no CPU can wait for itself here.
 */
#ifndef LOCK_H
#define LOCK_H

#include <stdint.h>

struct lock {
	uint32_t taken;
};

static inline void lock(struct lock *l)
{
	while (__atomic_exchange_n(&l->taken, 1, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(&l->taken, __ATOMIC_RELAXED))
			;
}

static inline void unlock(struct lock *l)
{
	__atomic_store_n(&l->taken, 0, __ATOMIC_RELEASE);
}

#endif
