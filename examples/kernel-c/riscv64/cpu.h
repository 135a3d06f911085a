/* SPDX-License-Identifier: MIT */
/* The machine: registers of the hart, the counter, spinlocks. */
#ifndef CPU_H
#define CPU_H

#include <stdint.h>

#define csr_read(name) \
	({ uint64_t value_; __asm__ volatile("csrr %0, " #name : "=r"(value_)::"memory"); value_; })
#define csr_write(name, value) __asm__ volatile("csrw " #name ", %0" ::"rK"((uint64_t)(value)) : "memory")
#define csr_set(name, bits) __asm__ volatile("csrs " #name ", %0" ::"rK"((uint64_t)(bits)) : "memory")
#define csr_clear(name, bits) __asm__ volatile("csrc " #name ", %0" ::"rK"((uint64_t)(bits)) : "memory")

#define SSTATUS_SPP (1ul << 8)
#define SSTATUS_FS (3ul << 13)
#define SSTATUS_FS_CLEAN (2ul << 13)
#define SSTATUS_FS_DIRTY (3ul << 13)
#define SIE_SSIE (1ul << 1)
#define SIE_STIE (1ul << 5)
#define SATP_SV39 (8ul << 60)
#define SCAUSE_INTERRUPT (1ul << 63)

static inline uint64_t rdtime(void)
{
	uint64_t counter;

	__asm__ volatile("rdtime %0" : "=r"(counter)::"memory");
	return counter;
}

/* Returns the number of the lowest bit; without the Zbb extension gcc would call its library. */
static inline int lowest_bit(uint64_t bits)
{
	int number = 0;

	while (!(bits >> number & 1))
		number++;
	return number;
}

/*
 * A spinlock. It is not fair: under QEMU with fewer processors than harts, the hart whose turn it is may not be running.
 * The kernel never takes an interrupt, so no hart can wait for itself here.
 */
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
