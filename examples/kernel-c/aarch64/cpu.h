/* SPDX-License-Identifier: MIT */
/* The CPU: its registers, its counter, and entries of its page tables (VMSAv8-64, pages of 4 KiB). */
#ifndef CPU_H
#define CPU_H

#include <stddef.h>
#include <stdint.h>

#include "generic_numbers.h"

#define MACHINE_ELF 183 /* EM_AARCH64 */
#define MACHINE_NAME "aarch64"
#define MACHINE_HWCAP 3 /* floating point and Advanced SIMD (arch/arm64/include/uapi/asm/hwcap.h) */

/*
 * x0 to x30 by their numbers, then sp, pc and pstate, as in Linux's user_pt_regs; then tpidr_el0, and through which vector a
 * trap came. NUMBER has the number of a system call.
 */
enum { A0, A1, A2, A3, A4, A5, NUMBER = 8, RA = 30, SP, PC, PSTATE, TP, VECTOR, REGS };

enum { RESULT = A0 }; /* of a system call */

#define SYSCALL_STEP 0 /* the pc is behind the instruction already */

/* The arguments of clone for CLONE_SETTLS and for the thread's own tid (Linux, with CONFIG_CLONE_BACKWARDS). */
enum { CLONE_TLS = A3, CLONE_CHILD = A4 };

/* No system call is of this architecture alone. */
#define MACHINE_CALLS

#define register_read(name) \
	({ uint64_t value_; __asm__ volatile("mrs %0, " #name : "=r"(value_)::"memory"); value_; })
#define register_write(name, value) __asm__ volatile("msr " #name ", %0\n\tisb" ::"r"((uint64_t)(value)) : "memory")

static inline uint64_t counter_now(void)
{
	__asm__ volatile("isb" ::: "memory");
	return register_read(cntvct_el0);
}

/* Says whether user mode may read the counter. If not, each read is a trap into the kernel. */
#define CNTKCTL_EL0VCTEN 2
static inline void counter_allow(int allowed)
{
	register_write(cntkctl_el1, allowed ? CNTKCTL_EL0VCTEN : 0);
}

static inline struct cpu *this_cpu(void)
{
	struct cpu *cpu;

	__asm__ volatile("mrs %0, tpidr_el1" : "=r"(cpu));
	return cpu;
}

/* 32 registers of 128 bits, and two words of the unit. trap.S knows where they are. */
struct fp {
	uint64_t regs[64] __attribute__((aligned(16)));
	uint64_t fpsr, fpcr;
};

#define FP_NEW {0} /* of a new program */

#define GIGA (1ul << 30)
#define PAGE_SHIFT 12
#define PTE_TOP_SHIFT 39 /* of addresses in the root: four levels */

/* Bits 55 to 58 are software's, and so are 59 to 62 where TCR_EL1 does not give them away. */
#define READ (1ul << 55)
#define WRITE (1ul << 56)
#define EXEC (1ul << 57)
#define PTE_MAPPED (1ul << 58)
#define PTE_KERNELS (1ul << 59)

#define PTE_V 1ul
#define PTE_PAGE 2ul
#define PTE_TABLE 3ul
#define PTE_CACHED (1ul << 2 | 3ul << 8) /* MAIR_EL1's 1, inner shareable */
#define PTE_USER (1ul << 6)
#define PTE_READ_ONLY (1ul << 7)
#define PTE_ACCESSED (1ul << 10)
#define PTE_PXN (1ul << 53)
#define PTE_UXN (1ul << 54)

static inline void *page_of(uint64_t pte)
{
	return (void *)(pte & 0x0000fffffffff000ul);
}

static inline uint64_t pte_of(const void *page, uint64_t bits)
{
	return (uintptr_t)page | bits;
}

/* Returns what the hardware looks for where the program may use a page so. The kernel itself never runs such a page. */
#define PTE_RIGHTS (PTE_PAGE | PTE_CACHED | PTE_USER | PTE_READ_ONLY | PTE_ACCESSED | PTE_PXN | PTE_UXN)
static inline uint64_t pte_rights(uint64_t access)
{
	return PTE_PAGE | PTE_CACHED | PTE_ACCESSED | PTE_PXN | (access & READ ? PTE_USER : 0) |
	       (access & WRITE ? 0 : PTE_READ_ONLY) | (access & EXEC ? 0 : PTE_UXN);
}

/*
 * Forgets what the TLB knows of one page; or all of that, and what was fetched as code. QEMU has no data cache that fetches
 * could not see. Where there is one, a kernel also cleans (dc cvau) what it has written as code.
 */
static inline void cpu_forget(uint64_t address)
{
	__asm__ volatile("dsb ishst\n\ttlbi vaae1, %0\n\tdsb nsh\n\tisb" ::"r"(address << 8 >> 20) : "memory");
}

static inline void cpu_forget_all(void)
{
	__asm__ volatile("dsb ishst\n\ttlbi vmalle1\n\tic iallu\n\tdsb nsh\n\tisb" ::: "memory");
}

#endif
