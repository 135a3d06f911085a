/* SPDX-License-Identifier: MIT */
/* A CPU: its page table, its traps, and its floating point registers. */
#include "kernel.h"

#define MEMORY_BLOCK 1 /* the GiB that memory starts in */

/* Of ESR_EL1 (Arm ARM, "ISS encodings") */
#define SYSTEM_REGISTER 0x3ffc1eul /* of a trapped instruction, without the direction and the register of the program */
#define CNTVCT_EL0 (3ul << 20 | 2ul << 17 | 3ul << 14 | 14ul << 10)
#define WRITES (1ul << 6)
#define CACHE_INSTRUCTION (1ul << 8) /* of which WRITES says nothing */
#define STATUS 0x3ful

enum { UNKNOWN = 0, SVC = 0x15, SYSTEM_INSTRUCTION = 0x18, INSTRUCTION_ABORT = 0x20, DATA_ABORT = 0x24, BRK = 0x3c };

extern const uint8_t vectors[];
void interrupts_start(void);
void fp_store(struct fp *fp);
void fp_fetch(const struct fp *fp);

/*
 * What boot.S has for translation: one block of 1 GiB with the kernel and all memory, and one, for addresses of the upper half,
 * with the devices of the first GiB. User mode may use neither.
 */
#define TABLE __attribute__((aligned(PAGE)))
#define KERNELS (PTE_V | PTE_ACCESSED | PTE_UXN)
static uint64_t level1[512] TABLE = {[MEMORY_BLOCK] = MEMORY_BLOCK * GIGA | KERNELS | PTE_CACHED};
uint64_t boot_root[512] TABLE = {(uintptr_t)level1 + PTE_TABLE};
uint64_t devices[512] TABLE = {KERNELS | PTE_PXN};

/* The program's pages of the first 512 GiB are in the same table as the kernel's block. */
void machine_map(uint64_t *root)
{
	root[0] = pte_of(level1, PTE_TABLE);
}

void cpu_use(uint64_t *root)
{
	register_write(vbar_el1, (uintptr_t)vectors);
	register_write(ttbr0_el1, (uintptr_t)root);
	cpu_forget_all();
	interrupts_start();
}

/* Waits for an interrupt, without taking it. */
void cpu_idle(void)
{
	__asm__ volatile("dsb sy\n\twfi" ::: "memory");
}

/* Says what an abort was: `status` is one of a translation, of an access flag, or of a permission; else no memory is there. */
static struct trap fault(uint64_t status, uint64_t access)
{
	uint64_t address = register_read(far_el1);

	if ((status & STATUS) >= 4 && (status & STATUS) < 0x10)
		return (struct trap){PAGE_FAULT, access, address};
	return (struct trap){.what = BUS_ERROR, .address = address};
}

/* Says what the trap was that this CPU is in. */
struct trap cpu_trap(const struct thread *thread)
{
	uint64_t syndrome = register_read(esr_el1), address = register_read(far_el1);

	if (thread->regs[VECTOR] == 1)
		return (struct trap){.what = INTERRUPT};
	if (thread->regs[VECTOR] != 0)
		return (struct trap){.what = BUS_ERROR};
	switch (syndrome >> 26 & 63) {
	case SVC:
		return (struct trap){.what = SYSTEM_CALL};
	case BRK:
		return (struct trap){.what = BREAKPOINT};
	case INSTRUCTION_ABORT:
		return fault(syndrome, EXEC);
	case DATA_ABORT:
		return fault(syndrome, (syndrome & (WRITES | CACHE_INSTRUCTION)) == WRITES ? WRITE : READ);
	case SYSTEM_INSTRUCTION:
		if ((syndrome & SYSTEM_REGISTER) == CNTVCT_EL0)
			thread->cpu->traps++;
		return (struct trap){.what = ILLEGAL};
	case UNKNOWN:
		return (struct trap){.what = ILLEGAL};
	default:
		return (struct trap){.what = BUS_ERROR, .address = address};
	}
}

__attribute__((noreturn)) void kernel_trap(void)
{
	panic("kernel trap: syndrome %lx, pc %lx, address %lx\n", register_read(esr_el1), register_read(elr_el1), register_read(far_el1));
}

void cpu_count_traps(struct cpu *cpu)
{
	cpu->traps = 0;
}

/* Returns how often a program on this CPU read the counter where it may not. */
uint64_t cpu_counter_traps(const struct cpu *cpu)
{
	return cpu->traps;
}

/* Stores the floating point registers of a running thread in its record. */
void fp_sync(struct thread *thread)
{
	fp_store(&thread->fp);
}

/* Loads them from the record. */
void fp_load(const struct thread *thread)
{
	fp_fetch(&thread->fp);
}
