/* SPDX-License-Identifier: MIT */
/* The CPU: its registers, its counter, and entries of its page tables. */
#ifndef CPU_H
#define CPU_H

#include <stddef.h>
#include <stdint.h>

#include "csr.h"
#include "generic_numbers.h"

#define MACHINE_ELF 258 /* EM_LOONGARCH */
#define MACHINE_NAME "loongarch64"

/* What AT_HWCAP says (arch/loongarch/include/uapi/asm/hwcap.h): CPUCFG, atomics, unaligned access, floating point; LSX. */
#define MACHINE_HWCAP (0xf | (cpucfg(2) >> 6 & 1) << 4)

/* pc, then r1 to r31. NUMBER has the number of a system call. */
enum { PC, RA, TP, SP, A0, A1, A2, A3, A4, A5, NUMBER = 11, REGS = 32 };

enum { RESULT = A0 }; /* of a system call */

#define SYSCALL_STEP 4 /* from the instruction, where the pc is, to behind it */

/* The arguments of clone for CLONE_SETTLS and for the thread's own tid (Linux, without CONFIG_CLONE_BACKWARDS). */
enum { CLONE_TLS = A4, CLONE_CHILD = A3 };

/* No system call is of this architecture alone. */
#define MACHINE_CALLS

#define csr_read(number) \
	({ uint64_t value_; __asm__ volatile("csrrd %0, %1" : "=r"(value_) : "i"(number) : "memory"); value_; })
#define csr_write(number, value) \
	({ uint64_t value_ = (value); __asm__ volatile("csrwr %0, %1" : "+r"(value_) : "i"(number) : "memory"); })

static inline uint64_t counter_now(void)
{
	uint64_t counter;

	__asm__ volatile("rdtime.d %0, $zero" : "=r"(counter)::"memory");
	return counter;
}

static inline uint32_t cpucfg(uint32_t word)
{
	uint32_t value;

	__asm__("cpucfg %0, %1" : "=r"(value) : "r"(word));
	return value;
}

/* Says whether user mode may read the counter. If not, each read is a trap into the kernel. QEMU's MISC is 0 and read-only. */
static inline void counter_allow(int allowed)
{
	uint64_t misc = csr_read(MISC), changed = allowed ? misc & ~MISC_DRDTL3 : misc | MISC_DRDTL3;

	if (changed != misc)
		csr_write(MISC, changed);
}

static inline struct cpu *this_cpu(void)
{
	struct cpu *cpu;

	__asm__ volatile("move %0, $tp" : "=r"(cpu));
	return cpu;
}

/* 32 registers of 128 bits, fcc0 to fcc7 a byte each, and fcsr0. trap.S knows where they are. */
struct fp {
	uint64_t regs[64];
	uint64_t fcc, fcsr;
};

#define FP_NEW {0} /* of a new program */

#define PTE_TOP_SHIFT 36 /* of addresses in the root: 2048 entries of 64 GiB */

enum { READ = 1 << 7, WRITE = 1 << 8, EXEC = 1 << 9 }; /* these and the other two of bits 7 to 11 are software's */
#define PTE_V 1ul
#define PTE_DIRTY 2ul /* may be written */
#define PTE_USER (3ul << 2)
#define PTE_CACHED (1ul << 4)
#define PTE_MAPPED (1ul << 10)
#define PTE_KERNELS (1ul << 11)
#define PTE_NO_READ (1ul << 61)
#define PTE_NO_EXEC (1ul << 62)
#define PTE_TABLE 0ul /* an entry that leads to a table has its address alone */

static inline void *page_of(uint64_t pte)
{
	return (void *)(pte & 0x0000fffffffff000ul);
}

static inline uint64_t pte_of(const void *page, uint64_t bits)
{
	return (uintptr_t)page | bits;
}

/* Returns what the hardware looks for where the program may use a page so. QEMU 7.2 does not look for PTE_NO_EXEC. */
#define PTE_RIGHTS (PTE_USER | PTE_CACHED | PTE_DIRTY | PTE_NO_READ | PTE_NO_EXEC)
static inline uint64_t pte_rights(uint64_t access)
{
	return PTE_USER | PTE_CACHED | (access & WRITE ? PTE_DIRTY : 0) | (access & READ ? 0 : PTE_NO_READ) |
	       (access & EXEC ? 0 : PTE_NO_EXEC);
}

/* Forgets what the TLB knows of one page; or all of that, and what was fetched as code. */
static inline void cpu_forget(uint64_t address)
{
	__asm__ volatile("invtlb 6, $zero, %0" ::"r"(address) : "memory");
}

static inline void cpu_forget_all(void)
{
	__asm__ volatile("invtlb 0, $zero, $zero\n\tibar 0" ::: "memory");
}

#endif
