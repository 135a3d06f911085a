/* SPDX-License-Identifier: MIT */
/*
 * What a program of x86-64 relies on whenever it comes back from a kernel: a signal between two instructions leaves all registers
 * and the red zone as they were, a fault is the signal that Linux sends for it, and no address that a program makes up harms the
 * kernel. The last line:
 *
 *	ok faults=N interrupted=N
 */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define SIGNALS 300
#define NOT_CANONICAL 0x1234567812345678
#define FLAG_TF 0x100
#define FLAG_DF 0x400

static volatile int faults, interrupted, done;
static int number, code;
static uint64_t resume, counted_from, handler_flags;

static void wrong(const char *what, uint64_t value)
{
	printf("wrong: %s (%#lx)\n", what, value);
	fflush(stdout);
	_exit(1);
}

static uint64_t flags(void)
{
	uint64_t value;

	__asm__ volatile("pushfq\n\tpopq %0" : "=r"(value)::"memory");
	return value;
}

/* Notes a fault, and goes on where `resume` says, with the stack of before. */
static void on_fault(int signal, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

	handler_flags = flags();
	number = signal;
	code = info->si_code;
	faults++;
	registers[REG_RIP] = (greg_t)resume;
	registers[REG_EFL] &= ~(FLAG_TF | FLAG_DF);
}

/* Counts the signals of a program that runs step by step, and lets it run on after three. */
static void on_step(int signal, siginfo_t *info, void *context)
{
	(void)info;
	number = signal;
	if (++counted_from == 3)
		((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~FLAG_TF;
}

/* Goes on at an address that is none. That is a fault of its own, after which on_fault goes on. */
static void on_nowhere(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)info;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] = NOT_CANONICAL;
}

static void set(int signal, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER};

	if (sigaction(signal, &action, NULL))
		wrong("sigaction", (uint64_t)errno);
}

#define FAULT(instructions) \
	__asm__ volatile( \
		"movq %%rsp, %%r12\n\tleaq 1f(%%rip), %%rax\n\tmovq %%rax, %0\n\t" instructions "\n1:\tmovq %%r12, %%rsp\n\tcld" \
		: "=m"(resume) : "r"(NOT_CANONICAL) : "rax", "rcx", "rdx", "r11", "r12", "memory", "cc")

static void expect(const char *what, int signal)
{
	if (number != signal)
		wrong(what, (uint64_t)number);
	if (handler_flags & (FLAG_DF | FLAG_TF))
		wrong("flags of a handler", handler_flags);
	number = 0;
}

static void check_faults(void)
{
	static const int all[] = {SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV};

	for (unsigned i = 0; i < sizeof(all) / sizeof(*all); i++)
		set(all[i], on_fault);
	FAULT("ud2");
	expect("ud2", SIGILL);
	FAULT("int3\n\tud2");
	expect("int3", SIGTRAP);
	FAULT("xorl %%edx, %%edx\n\txorl %%ecx, %%ecx\n\tdivl %%ecx");
	expect("a division by zero", SIGFPE);
	FAULT("std\n\thlt");
	expect("hlt", SIGSEGV);
	if (code != 0x80 /* SI_KERNEL */)
		wrong("the code of hlt", (uint64_t)code);
	FAULT("outb %%al, $0xff");
	expect("outb", SIGSEGV);
	FAULT("int $32"); /* the vector of an interrupt */
	expect("int", SIGSEGV);
	FAULT("movq (%1), %%rax");
	expect("a load from nowhere", SIGSEGV);
	FAULT("jmp *%1");
	expect("a jump to nowhere", SIGSEGV);
	set(SIGILL, on_nowhere);
	FAULT("ud2");
	expect("a return to nowhere", SIGSEGV);
	FAULT("movabsq $0x7ffffffffffe, %%rax\n\tjmp *%%rax");
	expect("a jump to the end of the lower half", SIGSEGV);
}

static void check_steps(void)
{
	set(SIGTRAP, on_step);
	__asm__ volatile(
		"pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tnop\n\tmovl $39, %%eax\n\tsyscall\n\tnop\n\tnop\n\tnop" /* getpid */
		::: "rax", "rcx", "r11", "memory", "cc");
	if (number != SIGTRAP || counted_from != 3)
		wrong("steps", counted_from);
}

/* The kernel may copy with instructions that look at the flag of direction. */
static void check_direction(void)
{
	struct timespec time = {-1, -1};
	long result = SYS_clock_gettime;

	__asm__ volatile("std\n\tsyscall\n\tcld" : "+a"(result) : "D"(1L), "S"(&time) : "rcx", "r11", "memory", "cc");
	if (result || time.tv_sec < 0 || time.tv_nsec < 0)
		wrong("a system call with the flag of direction", (uint64_t)result);
}

static void check_fs(void)
{
	uint64_t base, self;

	__asm__("movq %%fs:0, %0" : "=r"(self));
	if (syscall(SYS_arch_prctl, ARCH_GET_FS, &base) || base != self)
		wrong("ARCH_GET_FS", base);
	if (syscall(SYS_arch_prctl, ARCH_SET_FS, NOT_CANONICAL) != -1 || errno != EPERM)
		wrong("ARCH_SET_FS to what is no address", (uint64_t)errno);
	if (syscall(SYS_arch_prctl, ARCH_SET_FS, base) || syscall(SYS_arch_prctl, 1, base) != -1 || errno != EINVAL)
		wrong("ARCH_SET_FS", (uint64_t)errno);
}

static void on_usr1(int signal)
{
	char filled[512];

	(void)signal;
	memset(filled, 0xa5, sizeof(filled));
	__asm__ volatile("movq $-1, %%rcx\n\tmovq %%rcx, %%r11\n\tpxor %%xmm15, %%xmm15" : : "m"(filled) : "rcx", "r11", "xmm15");
	interrupted++;
}

static volatile uint64_t turns;

/* Sends each signal where spin() turns: it stands still once it has found something. */
static void *send(void *to)
{
	for (int sent = 0; sent < SIGNALS; sent++) {
		for (uint64_t from = turns; turns - from < 2;)
			sched_yield();
		pthread_kill(*(pthread_t *)to, SIGUSR1);
		while (interrupted == sent)
			sched_yield();
	}
	done = 1;
	return NULL;
}

/* Returns a bit for each register, and each word of the red zone, that a signal changed between two instructions. */
static uint64_t spin(void)
{
	uint64_t changed;

	__asm__ volatile(
		"movq $0x1111, %%rcx\n\tmovq $0x2222, %%r11\n\tmovq $0x3333, %%r8\n\tmovq $0x4444, %%r10\n\t"
		"movq %%rcx, %%xmm15\n\tmovq %%r11, -8(%%rsp)\n\tmovq %%r8, -128(%%rsp)\n\txorl %%eax, %%eax\n\t"
		"1:\tcmpq $0x1111, %%rcx\n\tjne 2f\n\tcmpq $0x2222, %%r11\n\tjne 3f\n\tcmpq $0x3333, %%r8\n\tjne 4f\n\t"
		"cmpq $0x4444, %%r10\n\tjne 4f\n\tmovq %%xmm15, %%rdx\n\tcmpq $0x1111, %%rdx\n\tjne 5f\n\t"
		"cmpq $0x2222, -8(%%rsp)\n\tjne 6f\n\tcmpq $0x3333, -128(%%rsp)\n\tjne 6f\n\t"
		"incq %1\n\tcmpl $0, %2\n\tje 1b\n\tjmp 7f\n"
		"2:\torl $1, %%eax\n\tjmp 7f\n3:\torl $2, %%eax\n\tjmp 7f\n4:\torl $4, %%eax\n\tjmp 7f\n"
		"5:\torl $8, %%eax\n\tjmp 7f\n6:\torl $16, %%eax\n7:"
		: "=&a"(changed), "+m"(turns) : "m"(done) : "rcx", "rdx", "r8", "r10", "r11", "xmm15", "memory", "cc");
	return changed;
}

static void check_interrupted(void)
{
	struct sigaction action = {.sa_handler = on_usr1};
	pthread_t self = pthread_self(), sender;

	if (sigaction(SIGUSR1, &action, NULL) || pthread_create(&sender, NULL, send, &self))
		wrong("a thread", 0);
	uint64_t changed = spin();
	if (changed)
		wrong("a signal changed rcx (1), r11 (2), another (4), a vector register (8), the red zone (16)", changed);
	pthread_join(sender, NULL);
}

int main(void)
{
	check_faults();
	check_steps();
	check_direction();
	check_fs();
	check_interrupted();
	printf("ok faults=%d interrupted=%d\n", faults, interrupted);
	return 0;
}
