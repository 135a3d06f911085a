/* SPDX-License-Identifier: MIT */
/* The interfaces between the parts of the kernel. Addresses of the kernel are physical addresses: the map is one to one. */
#ifndef KERNEL_H
#define KERNEL_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu.h"

#define PAGE 4096ul
#define MAX_HARTS 8
#define MAX_THREADS 64
#define MAX_SYSCALL 512
#define STACK_SIZE 16384
#define NSEC_PER_SEC 1000000000u
#define FOREVER UINT64_MAX

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
#define SIGKILL 9
#define SIGSEGV 11

enum { RA = 1, SP = 2, TP = 4, A0 = 10, A1, A2, A3, A4, A5, A6, A7 };

/* A hart. In the kernel `tp` holds the address of its record. boot.S and trap.S know where `stack` and `id` are. */
struct hart {
	uint8_t *stack;		/* the top of its stack */
	uint64_t id;		/* as SBI and the device tree name it */
	struct thread *thread;	/* the thread whose trap is served; NULL once it is put down */
	unsigned index;
	unsigned in_user;	/* it may be in user mode; see mm.c */
	uint64_t map_seen;
	uint64_t next_tick;
	uint64_t traps_counter; /* the firmware's counter of illegal instructions, see sbi.c */
	uint64_t syscalls[MAX_SYSCALL + 1]; /* counts of calls; the last entry counts all other numbers */
};

enum thread_state { FREE, NEW, READY, RUNNING, WAITING };

/* A thread. trap.S knows where `regs`, `fp`, `fcsr` and `hart` are. A running thread belongs to its hart alone. */
struct thread {
	uint64_t regs[32];	/* pc, then x1 to x31 */
	uint64_t fp[32];	/* valid unless sstatus.FS is dirty */
	uint64_t fcsr;
	struct hart *hart;	/* the hart that it runs on */
	/* thread_lock protects the rest. */
	enum thread_state state;
	int tid;
	struct thread *next;	/* in the queue of those that are ready */
	uint64_t futex;		/* the word that it waits for; 0: it only sleeps */
	uint64_t deadline;	/* counter, or FOREVER */
	uint64_t remaining;	/* address for the rest of an interrupted sleep, or 0 */
	uint64_t clear_tid;
	uint64_t blocked, pending; /* signals: bit N - 1 for signal N */
};

_Static_assert(offsetof(struct thread, fp) == 256, "trap.S");
_Static_assert(offsetof(struct thread, hart) == 520, "trap.S");
_Static_assert(offsetof(struct hart, stack) == 0 && offsetof(struct hart, id) == 8, "boot.S, trap.S");
_Static_assert(sizeof(struct hart) == 4160, "boot.S");

static inline struct hart *this_hart(void)
{
	struct hart *hart;

	__asm__ volatile("mv %0, tp" : "=r"(hart));
	return hart;
}

/* fdt.c */
struct machine {
	uint64_t timebase_hz;
	uint64_t memory, memory_end;
	uint64_t initrd, initrd_end;
	uint64_t fdt, fdt_end;
	uint64_t rtc; /* address of a goldfish real time clock, 0: there is none */
	const char *bootargs;
	unsigned harts;
	uint64_t hart_ids[MAX_HARTS];
};
void fdt_read(const void *fdt);
extern struct machine machine;

/* main.c */
extern struct hart harts[MAX_HARTS];
extern int vdso_on, preempt_on, signals_on, clone_on;
__attribute__((noreturn)) void program_end(int status);
void end_if_asked(void);

/* riscv64/boot.S */
void _start(void);

/* riscv64/sbi.c */
void sbi_putchar(char character);
void sbi_set_timer(uint64_t counter);
void sbi_wake(const struct hart *hart);
void sbi_wake_all(void);
void sbi_fence_i(void);
void sbi_fence_vma(uint64_t hart_mask, uint64_t start, uint64_t size);
int sbi_start(const struct hart *hart);
int sbi_count_traps(uint64_t *counter);
uint64_t sbi_read_counter(uint64_t counter);
__attribute__((noreturn)) void sbi_shutdown(void);

/* console.c */
void console_write(const char *text, size_t size);
__attribute__((format(printf, 1, 2))) void print(const char *format, ...);
__attribute__((noreturn, format(printf, 1, 2))) void panic(const char *format, ...);
void *memset(void *to, int byte, size_t size);
void *memcpy(void *to, const void *from, size_t size);
size_t strlen(const char *text);
int starts_with(const char *text, const char *start);

/* mm.c */
enum { READ = 2, WRITE = 4, EXEC = 8 }; /* as in a page table entry */
#define MMAP_START 0x1000000000ul /* user space from here on is for mappings of programs, and the stack */
#define USER_END 0x3ffffff000ul
void mm_init(void);
void mm_use(void);
void mm_enter_user(void);
const volatile void *mm_device(uint64_t physical);
void mm_map_kernel(uint64_t address, const void *page, unsigned access);
long mm_map(uint64_t address, uint64_t size, unsigned access);
long mm_unmap(uint64_t address, uint64_t size);
long mm_protect(uint64_t address, uint64_t size, unsigned access);
int mm_fault(uint64_t address, unsigned access);
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
void fp_sync(struct thread *thread);
void fp_load(const struct thread *thread);

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
long sys_rt_sigaction(struct thread *thread);
long sys_rt_sigprocmask(struct thread *thread);
long sys_rt_sigreturn(struct thread *thread);

/* syscall.c */
void syscall(struct thread *thread);

/* vdso_kernel.c */
void vdso_boot(uint64_t timebase_hz, uint64_t wall_ns, unsigned program_cpus);
void vdso_hart(void);
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
