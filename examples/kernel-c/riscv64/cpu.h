/* SPDX-License-Identifier: MIT */
/* The CPU, a hart: its registers, its counter, and entries of its page tables (Sv39). */
#ifndef CPU_H
#define CPU_H

#include <stddef.h>
#include <stdint.h>

#include "generic_numbers.h"

#define MACHINE_ELF 243 /* EM_RISCV */
#define MACHINE_NAME "riscv64"
#define MACHINE_HWCAP 0x112d /* letters of the ISA: a, c, d, f, i, m */

/* In the order of Linux's user_regs_struct: pc, then x1 to x31. NUMBER has the number of a system call. */
enum { PC, RA, SP, TP = 4, A0 = 10, A1, A2, A3, A4, A5, NUMBER = 17, REGS = 32 };

enum { RESULT = A0 }; /* of a system call */

#define SYSCALL_STEP 4 /* from the instruction, where the pc is, to behind it */

/* The arguments of clone for CLONE_SETTLS and for the thread's own tid. */
enum { CLONE_TLS = A3, CLONE_CHILD = A4 };

/* A system call of this architecture alone. */
#define MACHINE_CALLS [259] = sys_flush_icache,

#define csr_read(name) \
	({ uint64_t value_; __asm__ volatile("csrr %0, " #name : "=r"(value_)::"memory"); value_; })
#define csr_write(name, value) __asm__ volatile("csrw " #name ", %0" ::"rK"((uint64_t)(value)) : "memory")
#define csr_set(name, bits) __asm__ volatile("csrs " #name ", %0" ::"rK"((uint64_t)(bits)) : "memory")
#define csr_clear(name, bits) __asm__ volatile("csrc " #name ", %0" ::"rK"((uint64_t)(bits)) : "memory")

static inline uint64_t counter_now(void)
{
	uint64_t counter;

	__asm__ volatile("rdtime %0" : "=r"(counter)::"memory");
	return counter;
}

/* Says whether user mode may read the counter. If not, each read traps into the firmware, which may answer it, slowly. */
static inline void counter_allow(int allowed)
{
	if (allowed)
		csr_set(scounteren, 1 << 1 /* TM */);
	else
		csr_clear(scounteren, 1 << 1 /* TM */);
}

static inline struct cpu *this_cpu(void)
{
	struct cpu *cpu;

	__asm__ volatile("mv %0, tp" : "=r"(cpu));
	return cpu;
}

/* The floating point registers, and fcsr. trap.S knows where they are. */
struct fp {
	uint64_t regs[32];
	uint64_t fcsr;
};

#define FP_NEW {0} /* of a new program */

#define GIGA (1ul << 30)
#define PAGE_SHIFT 12
#define PTE_TOP_SHIFT 30 /* of addresses in the root */

enum { READ = 2, WRITE = 4, EXEC = 8 };
#define PTE_V 1ul
#define PTE_USER 0x10ul
#define PTE_GLOBAL 0x20ul
#define PTE_AD 0xc0ul	    /* accessed and dirty: set at once, so that no hardware has to */
#define PTE_MAPPED 0x100ul  /* these two are software's */
#define PTE_KERNELS 0x200ul
#define PTE_TABLE PTE_V

static inline void *page_of(uint64_t pte)
{
	return (void *)(pte >> 10 << 12);
}

static inline uint64_t pte_of(const void *page, uint64_t bits)
{
	return (uintptr_t)page >> 12 << 10 | bits;
}

/* Returns what the hardware looks for beside READ, WRITE and EXEC where the program may use a page so. */
#define PTE_RIGHTS (PTE_USER | PTE_AD)
static inline uint64_t pte_rights(uint64_t access)
{
	(void)access;
	return PTE_RIGHTS;
}

/* Where the kernel finds a device: behind the program's half, in entry 256 of the root, with paging. */
#define DEVICES 0xffffffc000000000ul
#define COUNTER_PAGE 0x200b000ul /* the page of mtime on QEMU's `virt`, and on many boards: one of the CLINT at 0x2000000 */

static inline const volatile void *device(uint64_t physical)
{
	return (const volatile void *)(csr_read(satp) ? DEVICES + physical : physical);
}

/* Forgets what the TLB knows of one page; or all of that, and what was fetched as code. */
static inline void cpu_forget(uint64_t address)
{
	__asm__ volatile("sfence.vma %0" ::"r"(address) : "memory");
}

static inline void cpu_forget_all(void)
{
	__asm__ volatile("sfence.vma\n\tfence.i" ::: "memory");
}

#endif
