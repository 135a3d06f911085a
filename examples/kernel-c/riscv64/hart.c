/* SPDX-License-Identifier: MIT */
/* A hart: its page table, its traps and interrupts, and its floating point registers. */
#include "kernel.h"

#define SSTATUS_SPP (1ul << 8)
#define SSTATUS_FS (3ul << 13)
#define SSTATUS_FS_CLEAN (2ul << 13)
#define SSTATUS_FS_DIRTY (3ul << 13)
#define SIE_SSIE (1ul << 1)
#define SIE_STIE (1ul << 5)
#define SATP_SV39 (8ul << 60)
#define SCAUSE_INTERRUPT (1ul << 63)

void trap_entry(void);
void fp_store(struct fp *fp);
void fp_fetch(const struct fp *fp);

/* One leaf of 1 GiB, without the U bit, has the kernel and all memory; another one has the devices of the first GiB, read-only. */
void machine_map(uint64_t *root)
{
	void *kernel = (void *)machine.kernel.start;

	root[machine.kernel.start / GIGA] = pte_of(kernel, PTE_V | READ | WRITE | EXEC | PTE_GLOBAL | PTE_AD);
	root[DEVICES / GIGA % 512] = pte_of(NULL, PTE_V | READ | PTE_GLOBAL | PTE_AD);
}

void cpu_use(uint64_t *root)
{
	csr_write(sscratch, 0);
	csr_write(stvec, (uintptr_t)trap_entry);
	csr_clear(sstatus, SSTATUS_SPP);
	csr_write(sie, SIE_SSIE | SIE_STIE);
	csr_write(satp, SATP_SV39 | (uintptr_t)root >> 12);
	cpu_forget_all();
}

/* Waits for an interrupt, without taking it. */
void cpu_idle(void)
{
	__asm__ volatile("wfi" ::: "memory");
}

/* Takes back the interrupts of other harts. Returns whether the timer's is pending. */
int cpu_interrupts(void)
{
	csr_clear(sip, SIE_SSIE);
	return (csr_read(sip) & SIE_STIE) != 0;
}

/* Says what the trap was that this hart is in. */
struct trap cpu_trap(const struct thread *thread)
{
	uint64_t cause = csr_read(scause), address = csr_read(stval);

	(void)thread;
	if (cause & SCAUSE_INTERRUPT)
		return (struct trap){.what = INTERRUPT};
	switch (cause) {
	case 2:
		return (struct trap){.what = ILLEGAL};
	case 3:
		return (struct trap){.what = BREAKPOINT};
	case 8:
		return (struct trap){.what = SYSTEM_CALL};
	case 12:
		return (struct trap){PAGE_FAULT, EXEC, address};
	case 13:
		return (struct trap){PAGE_FAULT, READ, address};
	case 15:
		return (struct trap){PAGE_FAULT, WRITE, address};
	default:
		return (struct trap){.what = BUS_ERROR, .address = address};
	}
}

__attribute__((noreturn)) void kernel_trap(void)
{
	panic("kernel trap: cause %lx, pc %lx, address %lx\n", csr_read(scause), csr_read(sepc), csr_read(stval));
}

/* Stores the floating point registers of a running thread in its record, which has them already unless sstatus.FS is dirty. */
void fp_sync(struct thread *thread)
{
	if ((csr_read(sstatus) & SSTATUS_FS) != SSTATUS_FS_DIRTY)
		return;
	fp_store(&thread->fp);
	csr_clear(sstatus, SSTATUS_FS_DIRTY ^ SSTATUS_FS_CLEAN);
}

/* Loads the hart's registers from the record. FS is never off in user mode: its first use would trap into the firmware. */
void fp_load(const struct thread *thread)
{
	csr_set(sstatus, SSTATUS_FS);
	fp_fetch(&thread->fp);
	csr_clear(sstatus, SSTATUS_FS_DIRTY ^ SSTATUS_FS_CLEAN);
}
