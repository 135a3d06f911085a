/* SPDX-License-Identifier: MIT */
/* A CPU: its segments, its page table, its traps, and its floating point registers. */
#include "kernel.h"
#include "machine.h"

#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_FMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100

/* What `syscall` clears, since a program may have set it: TF, IF, DF, NT, AC. */
#define FMASK 0x44700
#define FLAGS_ALWAYS 0x202ul /* IF, and bit 1, which is 1 */

#define ERROR_WRITE 2
#define ERROR_EXEC 16

#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003

/* An address that no program has, and that faults where it is used: not already where it is loaded. */
#define NOWHERE ((1ul << 47) - PAGE)

enum {
	DE = 0, DB, BP = 3, UD = 6, GP = 13, PF, MF = 16, XM = 19,
};

extern const uint8_t vectors[][16];
void syscall_entry(void);
__attribute__((noreturn)) void leave_kernel(const struct thread *thread, int by_sysret);
extern uint64_t boot_root[];

_Static_assert(offsetof(struct cpu, thread) == 16, "trap.S");
_Static_assert(8 * (SS + 1) == 176 && 8 * CS == 144 && 8 * (SS + 1) % 16 == 0, "trap.S, where a trap pushes to");
_Static_assert(sizeof(struct fp) == 512, "fxsave64");

struct task {
	uint32_t reserved;
	uint64_t stack; /* of traps from user mode */
	uint64_t unused[11];
	uint32_t ports; /* there is no list of those that a program may use: it would start behind the end */
} __attribute__((packed));
_Static_assert(sizeof(struct task) == 104, "TSS");

static struct task tasks[MAX_CPUS];

static uint64_t gdt[TASKS / 8 + 2 * MAX_CPUS] = {
	[KERNEL_CODE / 8] = 0x00af9b000000ffff,
	[KERNEL_DATA / 8] = 0x00cf93000000ffff,
	[USER_DATA / 8] = 0x00cff3000000ffff,
	[USER_CODE / 8] = 0x00affb000000ffff,
};

static struct gate {
	uint16_t low, segment, type, middle;
	uint32_t high, reserved;
} idt[VECTORS];

struct table {
	uint16_t limit;
	uint64_t address;
} __attribute__((packed));

/* The kernel's part is the last entry. */
void machine_map(uint64_t *root)
{
	root[511] = boot_root[511];
}

/* Each CPU fills in the same gates, but a task of its own. */
static void segments_use(void)
{
	unsigned index = this_cpu()->index, selector = TASKS + 16 * index;
	uint64_t task = (uintptr_t)&tasks[index];
	struct table segments = {sizeof(gdt) - 1, (uintptr_t)gdt}, gates = {sizeof(idt) - 1, (uintptr_t)idt};

	tasks[index].ports = sizeof(struct task) << 16;
	gdt[selector / 8] = (sizeof(struct task) - 1) | (task & 0xffffff) << 16 | 0x89ul << 40 | (task >> 24 & 0xff) << 56;
	gdt[selector / 8 + 1] = task >> 32;
	for (unsigned vector = 0; vector < VECTORS; vector++) {
		uint64_t to = (uintptr_t)vectors[vector];

		idt[vector] = (struct gate){
			.low = (uint16_t)to,
			.segment = KERNEL_CODE,
			.type = vector == BP ? 0xee00 : 0x8e00, /* programs may have the one by an instruction */
			.middle = (uint16_t)(to >> 16),
			.high = (uint32_t)(to >> 32),
		};
	}
	__asm__ volatile("lgdt %0\n\tlidt %1\n\tltr %w2" ::"m"(segments), "m"(gates), "r"(selector) : "memory");
}

void cpu_use(uint64_t *root)
{
	segments_use();
	msr_write(MSR_STAR, (uint64_t)KERNEL_DATA << 48 | (uint64_t)KERNEL_CODE << 32);
	msr_write(MSR_LSTAR, (uintptr_t)syscall_entry);
	msr_write(MSR_FMASK, FMASK);
	register_write(cr3, physical(root));
	apic_start();
	tsc_start();
}

/* Waits for an interrupt, which from_kernel in trap.S ends. */
void cpu_idle(void)
{
	__asm__ volatile("sti\n\thlt" ::: "memory");
}

/* Tells whether the thread stands at an instruction that reads the counter: rdtsc, rdtscp. */
static int reads_counter(const struct thread *thread)
{
	uint8_t code[3];

	if (copy_in(code, thread->regs[PC], 2) || code[0] != 0x0f)
		return 0;
	return code[1] == 0x31 || (code[1] == 0x01 && !copy_in(code, thread->regs[PC], 3) && code[2] == 0xf9);
}

/* Says what the trap was that this CPU is in. */
struct trap cpu_trap(const struct thread *thread)
{
	uint64_t error = thread->regs[ERROR];

	if (thread->regs[VECTOR] == VECTOR_SYSCALL)
		return (struct trap){.what = SYSTEM_CALL};
	if (thread->regs[VECTOR] >= VECTOR_TIMER)
		return (struct trap){.what = INTERRUPT};
	switch (thread->regs[VECTOR]) {
	case PF:
		return (struct trap){PAGE_FAULT, error & ERROR_EXEC ? EXEC : error & ERROR_WRITE ? WRITE : READ, register_read(cr2)};
	case GP:
		if (reads_counter(thread))
			thread->cpu->traps++;
		return (struct trap){.what = FORBIDDEN};
	case DB:
	case BP:
		return (struct trap){.what = BREAKPOINT};
	case UD:
		return (struct trap){.what = ILLEGAL};
	case DE:
	case MF:
	case XM:
		return (struct trap){.what = ARITHMETIC};
	default:
		return (struct trap){.what = BUS_ERROR};
	}
}

/* `frame`: vector, error and pc, as the trap pushed them. */
__attribute__((noreturn)) void kernel_trap(const uint64_t *frame)
{
	panic("kernel trap: vector %lu, error %lx, pc %lx, address %lx\n", frame[0], frame[1], frame[2], register_read(cr2));
}

/* Returns an address that the CPU can load. Of one that is not canonical the fault would come in the kernel. */
static uint64_t loadable(uint64_t address)
{
	return (address + (1ul << 47)) >> 48 ? NOWHERE : address;
}

/* Goes to user mode with a thread, whose next trap pushes to where its record has the CPU's part. */
void resume(struct thread *thread)
{
	thread->regs[PC] = loadable(thread->regs[PC]);
	thread->regs[CS] = USER_CODE;
	thread->regs[FLAGS] |= FLAGS_ALWAYS;
	thread->regs[SS] = USER_DATA;
	tasks[this_cpu()->index].stack = (uintptr_t)&thread->regs[SS + 1];
	msr_write(MSR_FS_BASE, loadable(thread->regs[TP]));
	leave_kernel(thread, thread->regs[VECTOR] == VECTOR_SYSCALL);
}

/* The base of fs is where a C library has what belongs to a thread. */
long sys_arch_prctl(struct thread *thread)
{
	switch (thread->regs[A0]) {
	case ARCH_SET_FS:
		if (thread->regs[A1] >= USER_END)
			return -EPERM;
		thread->regs[TP] = thread->regs[A1];
		return 0;
	case ARCH_GET_FS:
		return copy_out(thread->regs[A1], &thread->regs[TP], sizeof(uint64_t)) ? -EFAULT : 0;
	default:
		return -EINVAL;
	}
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
	__asm__ volatile("fxsave64 %0" : "=m"(thread->fp));
}

/* Loads them from the record. */
void fp_load(const struct thread *thread)
{
	__asm__ volatile("fxrstor64 %0" ::"m"(thread->fp));
}
