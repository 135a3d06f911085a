/* SPDX-License-Identifier: MIT */
/* Boot, traps, and the end of the program, which is the end of the machine. */
#include "kernel.h"

#define SIGRETURN_PAGE 0x200000000ul /* if the vDSO has no code for that, or is not mapped */

struct cpu cpus[MAX_CPUS];
uint8_t stacks[MAX_CPUS][STACK_SIZE] __attribute__((aligned(16)));
int vdso_on = 1;

/* Other kernels lack these, and programs must get on there too: see the switches below. */
int preempt_on = 1, signals_on = 1, clone_on = 1;

extern const uint8_t sigreturn_page[];
static unsigned started, stopped;
static int ending, counter_on = 1, page_on = 1;
static uint64_t counter_traps;

/* Ends the machine. Each CPU stops where it holds no lock, and adds the counts that only it can read. */
static void stop(void)
{
	__atomic_fetch_add(&counter_traps, cpu_counter_traps(this_cpu()), __ATOMIC_RELAXED);
	__atomic_fetch_add(&stopped, 1, __ATOMIC_RELEASE);
}

void end_if_asked(void)
{
	if (!__atomic_load_n(&ending, __ATOMIC_ACQUIRE))
		return;
	stop();
	timer_set(FOREVER);
	for (;;) {
		cpu_idle();
		cpu_interrupts();
	}
}

void program_end(int status)
{
	if (__atomic_exchange_n(&ending, 1, __ATOMIC_ACQ_REL))
		end_if_asked();
	for (unsigned i = 0; i < machine.cpus; i++)
		if (&cpus[i] != this_cpu())
			cpu_wake(&cpus[i]);
	stop();
	while (__atomic_load_n(&stopped, __ATOMIC_ACQUIRE) != machine.cpus)
		;
	print("kernel: exit=%d\n", status);
	for (unsigned number = 0; number <= MAX_SYSCALL; number++) {
		uint64_t count = 0;

		for (unsigned i = 0; i < machine.cpus; i++)
			count += cpus[i].syscalls[number];
		if (count && number < MAX_SYSCALL)
			print("kernel: syscall.%d=%lu\n", (int)number, count);
		else if (count)
			print("kernel: syscall.other=%lu\n", count);
	}
	print("kernel: counter_traps=%lu\n", counter_traps);
	if (writer_ms)
		print("kernel: updates=%lu\n", writer_updates);
	power_off();
}

/* Handles a trap from user mode, on this CPU's stack. */
__attribute__((noreturn)) void trap(struct thread *thread)
{
	struct trap found = cpu_trap(thread);
	uint64_t pc = thread->regs[PC];
	int code;

	this_cpu()->in_user = 0;
	switch (found.what) {
	case INTERRUPT: /* of the timer; or another CPU tells this one to look at its signals, at the page table, or to end */
		if (cpu_interrupts())
			timer_interrupt();
		break;
	case SYSTEM_CALL:
		syscall(thread);
		break;
	case PAGE_FAULT:
		code = mm_fault(found.address, found.access);
		if (code)
			signal_fault(thread, SIGSEGV, code, found.address);
		break;
	case FORBIDDEN: /* no address tells what for */
		signal_fault(thread, SIGSEGV, 0x80 /* SI_KERNEL */, 0);
		break;
	case ILLEGAL:
		signal_fault(thread, SIGILL, 1 /* ILL_ILLOPC */, pc);
		break;
	case BREAKPOINT:
		signal_fault(thread, SIGTRAP, 1 /* TRAP_BRKPT */, pc);
		break;
	case ARITHMETIC:
		signal_fault(thread, SIGFPE, 1 /* FPE_INTDIV */, pc);
		break;
	case BUS_ERROR: /* misaligned, or no memory there */
		signal_fault(thread, SIGBUS, 1 /* BUS_ADRALN */, found.address);
	}
	run_next();
}

/* Runs on each CPU, with its stack and its record. */
__attribute__((noreturn)) void cpu_main(void)
{
	struct cpu *cpu = this_cpu();

	mm_use();
	vdso_cpu();
	if (!counter_on)
		counter_allow(0);
	cpu_count_traps(cpu);
	cpu->next_tick = counter_now();
	timer_set(cpu->next_tick);
	__atomic_fetch_add(&started, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&started, __ATOMIC_ACQUIRE) != machine.cpus)
		;
	if (writer_ms && cpu->index == machine.cpus - 1)
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

/* Runs on the first CPU, before paging. `argument`: what the machine's boot.S has for machine_read(). */
__attribute__((noreturn)) void kernel_main(uint64_t id, uint64_t argument)
{
	const char *args;

	cpus[0].id = id;
	machine_read(argument);
	if (!machine.counter_hz || !machine.memory.end || !machine.cpus || machine.program.end <= machine.program.start)
		panic("the machine does not say how fast its counter runs, where memory is, what CPUs it has, or has no program\n");
	args = parse(machine.words);
	if (writer_ms && machine.cpus == 1)
		panic("write= needs a CPU of its own; there is one only\n");
	for (unsigned i = 0, next = 1; i < machine.cpus; i++) {
		cpus[i].index = i;
		cpus[i].stack = stacks[i] + STACK_SIZE;
		if (machine.cpu_ids[i] != id)
			cpus[next++].id = machine.cpu_ids[i];
	}
	mm_init();
	vdso_boot(machine.counter_hz, wall_clock(), machine.cpus - (writer_ms ? 1 : 0));
	if (!page_on || machine.counter_unreliable)
		clock_unreliable();
	if (vdso_on) {
		vdso_map();
		sigreturn_address = vdso_sigreturn;
	}
	if (!sigreturn_address) {
		mm_map_kernel(SIGRETURN_PAGE, sigreturn_page, READ | EXEC);
		sigreturn_address = SIGRETURN_PAGE;
	}
	program_load((const uint8_t *)machine.program.start, machine.program.end - machine.program.start, args);
	for (unsigned i = 1; i < machine.cpus; i++)
		if (!cpu_start(&cpus[i]))
			panic("CPU %lu does not start\n", cpus[i].id);
	cpu_main();
}
