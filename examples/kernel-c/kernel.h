/* SPDX-License-Identifier: MIT */
/* The interfaces between the parts of the kernel. It sees all memory in one piece; only pte_of() and page_of() know where that is. */
#ifndef KERNEL_H
#define KERNEL_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu.h"
#include "lock.h"

#define PAGE (1ul << PAGE_SHIFT)
#define MAX_CPUS 8
#define MAX_THREADS 64
#define MAX_SYSCALL 512
#define STACK_SIZE 16384
#define NSEC_PER_SEC 1000000000u
#define FOREVER UINT64_MAX

#define EPERM 1
#define EINTR 4
#define EAGAIN 11
#define ENOMEM 12
#define EACCES 13
#define EFAULT 14
#define EINVAL 22
#define ESRCH 3
#define EBADF 9
#define ENOSYS 38
#define ETIMEDOUT 110

#define SIGILL 4
#define SIGTRAP 5
#define SIGBUS 7
#define SIGFPE 8
#define SIGKILL 9
#define SIGSEGV 11

/* A CPU. cpu.h knows where the kernel holds the address of its record. boot.S and trap.S know where `stack` and `id` are. */
struct cpu {
	uint8_t *stack;		/* the top of its stack */
	uint64_t id;		/* as the machine names it */
	struct thread *thread;	/* the thread whose trap is served; NULL once it is put down */
	unsigned index;
	unsigned in_user;	/* it may be in user mode; see mm.c */
	uint64_t map_seen;
	uint64_t next_tick;
	uint64_t traps;		/* what cpu_counter_traps() keeps there */
	uint64_t syscalls[MAX_SYSCALL + 1]; /* counts of calls; the last entry counts all other numbers */
};

enum thread_state { FREE, NEW, READY, RUNNING, WAITING };

/* A thread. trap.S knows where `regs` and `cpu` are. A running thread belongs to its CPU alone. */
struct thread {
	uint64_t regs[REGS];	/* of the program, by the numbers in cpu.h */
	struct cpu *cpu;	/* the CPU that it runs on */
	struct fp fp;		/* valid while it does not run; see fp_sync() */
	/* thread_lock protects the rest. */
	enum thread_state state;
	int tid;
	struct thread *next;	/* in the queue of those that are ready */
	uint64_t futex;		/* the word that it waits for; 0: it only sleeps */
	uint64_t deadline;	/* counter, or FOREVER */
	uint64_t remaining;	/* address for the rest of an interrupted sleep, or 0 */
	uint64_t clear_tid;
	uint64_t blocked, pending; /* signals: bit N - 1 for signal N */
	struct stack {
		uint64_t start;
		uint32_t flags, pad;
		uint64_t size;
	} handlers; /* the stack for handlers with SA_ONSTACK; size 0: none */
};

_Static_assert(offsetof(struct thread, cpu) == 8 * REGS, "trap.S");
_Static_assert(offsetof(struct cpu, stack) == 0 && offsetof(struct cpu, id) == 8, "boot.S, trap.S");
_Static_assert(sizeof(struct cpu) == 4160, "boot.S");

/* The machine, as its folder finds it. Addresses from `start` to before `end`. */
struct range {
	uint64_t start, end;
};

struct machine {
	uint64_t counter_hz;
	int counter_unreliable; /* it is no clock, so programs ask the kernel */
	struct range memory;   /* of which all behind the kernel is free */
	struct range taken[2]; /* but for these */
	struct range kernel;   /* addresses that the program can't have */
	struct range program;  /* its file */
	const char *words;     /* the command line */
	unsigned cpus;
	uint64_t cpu_ids[MAX_CPUS];
};
extern struct machine machine;

/* What stopped a program. */
struct trap {
	enum { INTERRUPT, SYSTEM_CALL, PAGE_FAULT, FORBIDDEN, ILLEGAL, BREAKPOINT, ARITHMETIC, BUS_ERROR } what;
	uint64_t access;  /* of PAGE_FAULT */
	uint64_t address; /* of PAGE_FAULT and BUS_ERROR */
};

/* boot.S of each machine */
void _start(void);

/* The other files of each machine */
void machine_read(uint64_t boot_argument);
void machine_map(uint64_t *root);
uint64_t wall_clock(void);
void console_put(char character);
__attribute__((noreturn)) void power_off(void);
void timer_set(uint64_t counter);
void cpu_use(uint64_t *root);
int cpu_start(const struct cpu *cpu);
void cpu_wake(const struct cpu *cpu);
void cpu_idle(void);
int cpu_interrupts(void);
struct trap cpu_trap(const struct thread *thread);
void cpu_count_traps(struct cpu *cpu);
uint64_t cpu_counter_traps(const struct cpu *cpu);
void fp_sync(struct thread *thread);
void fp_load(const struct thread *thread);

/* main.c */
extern struct cpu cpus[MAX_CPUS];
extern int vdso_on, preempt_on, signals_on, clone_on;
__attribute__((noreturn)) void program_end(int status);
void end_if_asked(void);

/* console.c */
void console_write(const char *text, size_t size);
__attribute__((format(printf, 1, 2))) void print(const char *format, ...);
__attribute__((noreturn, format(printf, 1, 2))) void panic(const char *format, ...);
void *memset(void *to, int byte, size_t size);
void *memcpy(void *to, const void *from, size_t size);
size_t strlen(const char *text);
int starts_with(const char *text, const char *start);

/* Returns the number of the lowest bit. Where no instruction does that, the builtin would call the compiler's library. */
static inline int lowest_bit(uint64_t bits)
{
	int number = 0;

	while (!(bits >> number & 1))
		number++;
	return number;
}

/* mm.c */
#define MMAP_START 0x1000000000ul /* user space from here on is for mappings of programs, and the stack */
#define USER_END (0x4000000000ul - PAGE)
void mm_init(void);
void mm_use(void);
void mm_enter_user(void);
void mm_code_changed(void);
void mm_map_kernel(uint64_t address, const void *page, uint64_t access);
long mm_map(uint64_t address, uint64_t size, uint64_t access);
long mm_unmap(uint64_t address, uint64_t size);
long mm_protect(uint64_t address, uint64_t size, uint64_t access);
int mm_fault(uint64_t address, uint64_t access);
int copy_in(void *to, uint64_t from, size_t size);
int copy_out(uint64_t to, const void *from, size_t size);
int copy_code(uint64_t to, const void *from, size_t size);

/* elf.c */
void program_load(const uint8_t *file, size_t size, const char *args);
extern uint64_t program_break;

/* thread.c */
extern struct lock thread_lock;
struct thread *thread_new(void);
void thread_start(struct thread *thread);
void thread_block(uint64_t futex, uint64_t deadline);
void thread_wake(struct thread *thread, long result);
struct thread *thread_each(struct thread *after);
__attribute__((noreturn)) void thread_exit(int status);
void thread_yield(void);
void timer_interrupt(void);
__attribute__((noreturn)) void run_next(void);
__attribute__((noreturn)) void resume(struct thread *thread);

/* futex.c */
long futex_wake(uint64_t address, uint64_t count);
void thread_interrupt(struct thread *thread);
long sys_futex(struct thread *thread);
long sys_nanosleep(struct thread *thread);
long sys_clock_nanosleep(struct thread *thread);

/* signal.c */
extern uint64_t sigreturn_address;
void signal_deliver(struct thread *thread);
int signal_waits(const struct thread *thread);
__attribute__((noreturn)) void signal_kill(const struct thread *thread, int signal);
void signal_fault(struct thread *thread, int signal, int code, uint64_t address);
long sys_kill(struct thread *thread);
long sys_tkill(struct thread *thread);
long sys_tgkill(struct thread *thread);
long sys_sigaltstack(struct thread *thread);
long sys_rt_sigaction(struct thread *thread);
long sys_rt_sigprocmask(struct thread *thread);
long sys_rt_sigreturn(struct thread *thread);

/* syscall.c */
long sys_flush_icache(struct thread *thread);
long sys_time(struct thread *thread);
void syscall(struct thread *thread);

/* vdso_kernel.c */
void vdso_boot(uint64_t timebase_hz, uint64_t wall_ns, unsigned program_cpus);
void vdso_cpu(void);
void vdso_map(void);
extern const uint64_t vdso_address, vdso_sigreturn;
int clock_read(int clock, int64_t *sec, uint32_t *nsec);
int clock_resolution(int clock, int64_t *sec, uint32_t *nsec);
int clock_set_realtime(uint64_t counter, int64_t sec, uint32_t nsec);
int clock_adjust(int64_t ppb);
int clock_suspend(void);
int clock_resume(uint64_t slept_ns);
void clock_unreliable(void);

/* writer.c */
__attribute__((noreturn)) void writer_run(void);
extern uint64_t writer_ms, writer_updates;

#endif
