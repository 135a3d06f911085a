/* SPDX-License-Identifier: MIT */
/* A CPU: its page table, its traps and interrupts, and its floating point registers. */
#include "kernel.h"

#define EUEN_FPE 1
#define EUEN_SXE 2
#define CPUCFG2_LSX (1u << 6)

/* Of ESTAT and ECFG */
#define TIMER (1ul << 11)
#define IPI (1ul << 12)

/* Where each of the three levels begins in an address, and how many bits it has: PWCL's PTBase and Dir1, PWCH's Dir3. */
#define LEVEL_BITS (PAGE_SHIFT - 3)
#define PWCL_LEVELS (PAGE_SHIFT | LEVEL_BITS << 5 | (PAGE_SHIFT + LEVEL_BITS) << 10 | LEVEL_BITS << 15)
#define PWCH_LEVELS (PTE_TOP_SHIFT | LEVEL_BITS << 6)
_Static_assert(PTE_TOP_SHIFT == PAGE_SHIFT + 2 * LEVEL_BITS, "three levels");

/* LoongArch Reference Manual, Volume 1, table 21: Ecode */
enum {
	INT = 0, PIL = 1, PIS, PIF, PME, PNR, PNX, PPI, SYS = 0xb, BRK, INE, IPE, FPD, SXD, ASXD,
};

void trap_entry(void);
void refill_entry(void);
void cpu_hear(void);
void cpu_heard(void);
void fp_store(struct fp *fp);
void fp_fetch(const struct fp *fp);

/* The kernel is not in the page table: windows (DMW) show it all memory, and the devices. */
void machine_map(uint64_t *root)
{
	(void)root;
}

void cpu_use(uint64_t *root)
{
	csr_write(SAVE0, 0);
	csr_write(EENTRY, (uintptr_t)trap_entry);
	csr_write(TLBRENTRY, (uintptr_t)refill_entry);
	csr_write(STLBPS, PAGE_SHIFT);
	csr_write(TLBREHI, PAGE_SHIFT);
	csr_write(ASID, 0);
	csr_write(PWCL, PWCL_LEVELS);
	csr_write(PWCH, PWCH_LEVELS);
	csr_write(PGDL, (uintptr_t)root);
	csr_write(PGDH, (uintptr_t)root);
	csr_write(EUEN, EUEN_FPE | (cpucfg(2) & CPUCFG2_LSX ? EUEN_SXE : 0));
	cpu_forget_all();
	cpu_hear();
	csr_write(ECFG, TIMER | IPI);
}

/* Takes back the interrupts that are pending. Returns whether the timer's was among them. */
int cpu_interrupts(void)
{
	uint64_t pending = csr_read(ESTAT);

	if (pending & IPI)
		cpu_heard();
	if (pending & TIMER)
		csr_write(TICLR, 1);
	return (pending & TIMER) != 0;
}

/* Says what the trap was that this CPU is in. */
struct trap cpu_trap(const struct thread *thread)
{
	uint64_t address = csr_read(BADV);

	switch (csr_read(ESTAT) >> 16 & 63) {
	case INT:
		return (struct trap){.what = INTERRUPT};
	case PIL:
	case PNR:
	case PPI:
		return (struct trap){PAGE_FAULT, READ, address};
	case PIS:
	case PME:
		return (struct trap){PAGE_FAULT, WRITE, address};
	case PIF:
	case PNX:
		return (struct trap){PAGE_FAULT, EXEC, address};
	case SYS:
		return (struct trap){.what = SYSTEM_CALL};
	case BRK:
		return (struct trap){.what = BREAKPOINT};
	case IPE: /* an instruction that programs may not use: here, a read of the counter */
		thread->cpu->traps++;
		return (struct trap){.what = ILLEGAL};
	case INE:
	case FPD:
	case SXD:
	case ASXD:
		return (struct trap){.what = ILLEGAL};
	default:
		return (struct trap){.what = BUS_ERROR, .address = address};
	}
}

__attribute__((noreturn)) void kernel_trap(void)
{
	panic("kernel trap: cause %lx, pc %lx, address %lx\n", csr_read(ESTAT) >> 16, csr_read(ERA), csr_read(BADV));
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

/* Stores the floating point and vector registers of a running thread in its record. */
void fp_sync(struct thread *thread)
{
	fp_store(&thread->fp);
}

/* Loads them from the record. */
void fp_load(const struct thread *thread)
{
	fp_fetch(&thread->fp);
}
