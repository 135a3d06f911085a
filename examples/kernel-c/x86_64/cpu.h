/* SPDX-License-Identifier: MIT */
/* The CPU: its registers, its counter, and entries of its page tables (four levels, pages of 4 KiB). */
#ifndef CPU_H
#define CPU_H

#include <stddef.h>
#include <stdint.h>

#include "layout.h"
#include "numbers.h"

#define MACHINE_ELF 62 /* EM_X86_64 */
#define MACHINE_NAME "x86_64"
#define MACHINE_HWCAP (cpuid(1).d)

/*
 * In the order that trap.S pushes them: the last ones from SS down are the CPU's own. VECTOR says how the thread came into the
 * kernel, and ERROR what the CPU tells of that; TP is the base of fs. NUMBER has the number of a system call.
 */
enum {
	R15, R14, R13, R12, R11, A3, A5, A4, RCX, NUMBER, A2, RBX, RBP, A1, A0, VECTOR, ERROR, PC, CS, FLAGS, SP, SS, TP, REGS,
};

enum { RESULT = NUMBER }; /* of a system call */

#define SYSCALL_STEP 0 /* the pc is behind the instruction already */

/* The arguments of clone for CLONE_SETTLS and for the thread's own tid (Linux, without CONFIG_CLONE_BACKWARDS). */
enum { CLONE_TLS = A4, CLONE_CHILD = A3 };

/* The system calls of this architecture alone. */
struct thread;
long sys_arch_prctl(struct thread *thread);
#define MACHINE_CALLS [NR_TIME] = sys_time, [NR_ARCH_PRCTL] = sys_arch_prctl,

struct cpuid {
	uint32_t a, b, c, d;
};

static inline struct cpuid cpuid(uint32_t leaf)
{
	struct cpuid found;

	__asm__ volatile("cpuid" : "=a"(found.a), "=b"(found.b), "=c"(found.c), "=d"(found.d) : "a"(leaf), "c"(0));
	return found;
}

static inline void msr_write(uint32_t number, uint64_t value)
{
	__asm__ volatile("wrmsr" ::"c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static inline uint64_t msr_read(uint32_t number)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number) : "memory");
	return (uint64_t)high << 32 | low;
}

#define register_read(name) \
	({ uint64_t value_; __asm__ volatile("mov %%" #name ", %0" : "=r"(value_)::"memory"); value_; })
#define register_write(name, value) __asm__ volatile("mov %0, %%" #name ::"r"((uint64_t)(value)) : "memory")

static inline uint64_t counter_now(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
}

/* Says whether user mode may read the counter. If not, each read is a trap into the kernel. */
#define CR4_TSD 4ul
static inline void counter_allow(int allowed)
{
	register_write(cr4, allowed ? register_read(cr4) & ~CR4_TSD : register_read(cr4) | CR4_TSD);
}

/* GS_BASE is its address. `rdgsbase` reads that faster, on CPUs that have it, and with CR4.FSGSBASE programs may do so, too. */
static inline struct cpu *this_cpu(void)
{
	return (struct cpu *)msr_read(0xc0000101 /* GS_BASE */);
}

/* What fxsave64 stores. Errors of arithmetic are no exceptions in a new program. */
struct fp {
	uint16_t control, status, tags, opcode;
	uint64_t pc, data;
	uint32_t mxcsr, mxcsr_mask;
	uint64_t regs[60];
} __attribute__((aligned(16)));

#define FP_NEW {.control = 0x37f, .mxcsr = 0x1f80}

#define GIGA (1ul << 30)
#define PAGE_SHIFT 12
#define PTE_TOP_SHIFT 39 /* of addresses in the root: four levels */

/* Bits 52 to 58 are software's. */
#define READ (1ul << 52)
#define WRITE (1ul << 53)
#define EXEC (1ul << 54)
#define PTE_MAPPED (1ul << 55)
#define PTE_KERNELS (1ul << 56)

#define PTE_V 1ul
#define PTE_WRITE 2ul
#define PTE_USER 4ul
#define PTE_AD 0x60ul /* accessed and dirty: set at once, so that no hardware has to */
#define PTE_NO_EXEC (1ul << 63)
#define PTE_TABLE (PTE_V | PTE_WRITE | PTE_USER)

static inline void *page_of(uint64_t pte)
{
	uint64_t address = pte & 0x000ffffffffff000ul;

	return address ? (void *)(KERNEL_BASE + address) : NULL;
}

static inline uint64_t physical(const void *at)
{
	return (uintptr_t)at - KERNEL_BASE;
}

static inline uint64_t pte_of(const void *page, uint64_t bits)
{
	return physical(page) | bits;
}

/* Returns what the hardware looks for where the program may use a page so. What can be executed can be read, too. */
#define PTE_RIGHTS (PTE_WRITE | PTE_USER | PTE_AD | PTE_NO_EXEC)
static inline uint64_t pte_rights(uint64_t access)
{
	return PTE_AD | (access & (READ | EXEC) ? PTE_USER : 0) | (access & WRITE ? PTE_WRITE : 0) | (access & EXEC ? 0 : PTE_NO_EXEC);
}

/* Forgets what the TLB knows of one page; or all of that. Fetches see what was written as code by themselves. */
static inline void cpu_forget(uint64_t address)
{
	__asm__ volatile("invlpg (%0)" ::"r"(address) : "memory");
}

static inline void cpu_forget_all(void)
{
	register_write(cr3, register_read(cr3));
}

#endif
