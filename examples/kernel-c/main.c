/* SPDX-License-Identifier: MIT */
/* Boot, traps, and the end of the program, which is the end of the machine. */
#include "kernel.h"

#define SIGRETURN_PAGE 0x200000000ul /* if no vDSO is mapped */

struct hart harts[MAX_HARTS];
uint8_t stacks[MAX_HARTS][STACK_SIZE] __attribute__((aligned(16)));
int vdso_on = 1;

/* Other kernels lack these, and programs must get on there too: see the switches below. */
int preempt_on = 1, signals_on = 1, clone_on = 1;

extern const uint8_t sigreturn_page[];
static unsigned started, stopped;
static int ending, counter_on = 1, page_on = 1;
static uint64_t mmode_traps;

void trap_entry(void);

/* Ends the machine. Each hart stops where it holds no lock, and adds the counts that only it can read. */
static void stop(void)
{
	__atomic_fetch_add(&mmode_traps, sbi_read_counter(this_hart()->traps_counter), __ATOMIC_RELAXED);
	__atomic_fetch_add(&stopped, 1, __ATOMIC_RELEASE);
}

void end_if_asked(void)
{
	if (!__atomic_load_n(&ending, __ATOMIC_ACQUIRE))
		return;
	stop();
	csr_write(sie, 0);
	for (;;)
		__asm__ volatile("wfi");
}

void program_end(int status)
{
	if (__atomic_exchange_n(&ending, 1, __ATOMIC_ACQ_REL))
		end_if_asked();
	sbi_wake_all();
	stop();
	while (__atomic_load_n(&stopped, __ATOMIC_ACQUIRE) != machine.harts)
		;
	print("kernel: exit=%d\n", status);
	for (unsigned number = 0; number <= MAX_SYSCALL; number++) {
		uint64_t count = 0;

		for (unsigned i = 0; i < machine.harts; i++)
			count += harts[i].syscalls[number];
		if (count && number < MAX_SYSCALL)
			print("kernel: syscall.%d=%lu\n", (int)number, count);
		else if (count)
			print("kernel: syscall.other=%lu\n", count);
	}
	print("kernel: mmode_traps=%lu\n", mmode_traps);
	if (writer_ms)
		print("kernel: updates=%lu\n", writer_updates);
	sbi_shutdown();
}

/* Handles a trap from user mode, on this hart's stack. */
__attribute__((noreturn)) void trap(struct thread *thread)
{
	uint64_t cause = csr_read(scause), address = csr_read(stval), pc = thread->regs[0];
	int code;

	this_hart()->in_user = 0;
	switch (cause) {
	case SCAUSE_INTERRUPT | 1: /* another hart tells this one to look at its signals, or to end */
		csr_clear(sip, SIE_SSIE);
		break;
	case SCAUSE_INTERRUPT | 5:
		timer_interrupt();
		break;
	case 8:
		syscall(thread);
		break;
	case 12:
	case 13:
	case 15:
		code = mm_fault(address, cause == 12 ? EXEC : cause == 13 ? READ : WRITE);
		if (code)
			signal_fault(thread, SIGSEGV, code, address);
		break;
	case 2:
		signal_fault(thread, SIGILL, 1 /* ILL_ILLOPC */, pc);
		break;
	case 3:
		signal_fault(thread, SIGTRAP, 1 /* TRAP_BRKPT */, pc);
		break;
	default: /* misaligned, or no memory there */
		signal_fault(thread, SIGBUS, 1 /* BUS_ADRALN */, address);
	}
	run_next();
}

__attribute__((noreturn)) void kernel_trap(void)
{
	panic("kernel trap: cause %lx, pc %lx, address %lx\n", csr_read(scause), csr_read(sepc), csr_read(stval));
}

/* Runs on each hart, with its stack and its record. */
__attribute__((noreturn)) void hart_main(void)
{
	struct hart *hart = this_hart();

	csr_write(sscratch, 0);
	csr_write(stvec, (uintptr_t)trap_entry);
	csr_clear(sstatus, SSTATUS_SPP);
	csr_write(sie, SIE_SSIE | SIE_STIE);
	mm_use();
	vdso_hart();
	if (!counter_on)
		csr_clear(scounteren, 1 << 1 /* TM */);
	if (!sbi_count_traps(&hart->traps_counter))
		panic("the firmware does not count illegal instructions (SBI PMU)\n");
	hart->next_tick = rdtime();
	sbi_set_timer(hart->next_tick);
	__atomic_fetch_add(&started, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&started, __ATOMIC_ACQUIRE) != machine.harts)
		;
	if (writer_ms && hart->index == machine.harts - 1)
		writer_run();
	run_next();
}

/*
 * Words that switch something off.
 *
 *	vdso=off	no vDSO
 *	counter=off	programs may not read the counter
 *	page=off	the data page says: ask the kernel
 *	preempt=off	a thread runs until it yields, waits or ends
 *	signals=off	no signal handlers, and no kill()
 *	clone=off	no threads
 */
static const struct {
	const char *word;
	int *flag;
} switches[] = {
	{ "vdso=off", &vdso_on },	{ "counter=off", &counter_on }, { "page=off", &page_on },
	{ "preempt=off", &preempt_on }, { "signals=off", &signals_on }, { "clone=off", &clone_on },
};

/* The command line: words of ours (the switches, and write=MS: see writer.c), `--`, words for the program. Returns the latter. */
static const char *parse(const char *words)
{
	while (*words && !starts_with(words, "--")) {
		for (unsigned i = 0; i < sizeof(switches) / sizeof(switches[0]); i++)
			if (starts_with(words, switches[i].word))
				*switches[i].flag = 0;
		if (starts_with(words, "write="))
			for (const char *digit = words + 6; *digit >= '0' && *digit <= '9'; digit++)
				writer_ms = writer_ms * 10 + (uint64_t)(*digit - '0');
		while (*words && *words != ' ')
			words++;
		while (*words == ' ')
			words++;
	}
	return *words ? words + 2 : words;
}

/* Returns the nanoseconds since 1970 of a goldfish real time clock; a read of its low word latches the high one. */
static uint64_t wall_clock(void)
{
	volatile const uint32_t *rtc = (const uint32_t *)machine.rtc;

	if (!rtc)
		return 0;
	uint64_t low = rtc[0];
	return (uint64_t)rtc[1] << 32 | low;
}

/* Runs on the first hart, before paging. */
__attribute__((noreturn)) void kernel_main(uint64_t id, const void *fdt)
{
	const char *args;

	harts[0].id = id;
	fdt_read(fdt);
	if (!machine.timebase_hz || !machine.memory_end || !machine.harts || machine.initrd_end <= machine.initrd)
		panic("the device tree lacks timebase-frequency, memory, harts, or an initrd (the program)\n");
	args = parse(machine.bootargs);
	if (writer_ms && machine.harts == 1)
		panic("write= needs a hart of its own; there is one only\n");
	for (unsigned i = 0, next = 1; i < machine.harts; i++) {
		harts[i].index = i;
		harts[i].stack = stacks[i] + STACK_SIZE;
		if (machine.hart_ids[i] != id)
			harts[next++].id = machine.hart_ids[i];
	}
	mm_init();
	vdso_boot(machine.timebase_hz, wall_clock(), machine.harts - (writer_ms ? 1 : 0));
	if (!page_on)
		clock_unreliable();
	if (vdso_on) {
		vdso_map();
		sigreturn_address = vdso_sigreturn;
	} else {
		mm_map_kernel(SIGRETURN_PAGE, sigreturn_page, READ | EXEC);
		sigreturn_address = SIGRETURN_PAGE;
	}
	program_load((const uint8_t *)machine.initrd, machine.initrd_end - machine.initrd, args);
	for (unsigned i = 1; i < machine.harts; i++)
		if (!sbi_start(&harts[i]))
			panic("hart %lu does not start\n", harts[i].id);
	hart_main();
}
