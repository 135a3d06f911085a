/* SPDX-License-Identifier: MIT */
/* The system calls, by Linux's numbers, that programs with a C library, threads and signals need. All others answer ENOSYS. */
#include "kernel.h"

#define CLONE_VM 0x100u
#define CLONE_THREAD 0x10000u
#define CLONE_SETTLS 0x80000u
#define CLONE_PARENT_SETTID 0x100000u
#define CLONE_CHILD_CLEARTID 0x200000u
#define CLONE_CHILD_SETTID 0x1000000u
#define MAP_FIXED 0x10u
#define MAP_ANONYMOUS 0x20u
#define PROCESS_ID 1
#define RLIMIT_STACK 3

static struct lock break_lock, random_lock;

static uint64_t page_round(uint64_t size)
{
	return (size + PAGE - 1) & -PAGE;
}

static long put_time(uint64_t address, int64_t sec, int64_t fraction)
{
	int64_t time[2] = {sec, fraction};

	return copy_out(address, time, sizeof(time));
}

static long sys_clock_gettime(struct thread *thread)
{
	int64_t sec;
	uint32_t nsec;

	return clock_read((int)thread->regs[A0], &sec, &nsec) ? -EINVAL : put_time(thread->regs[A1], sec, nsec);
}

static long sys_clock_getres(struct thread *thread)
{
	int64_t sec;
	uint32_t nsec;

	if (clock_resolution((int)thread->regs[A0], &sec, &nsec))
		return -EINVAL;
	return thread->regs[A1] ? put_time(thread->regs[A1], sec, nsec) : 0;
}

static long sys_gettimeofday(struct thread *thread)
{
	uint64_t zone = 0; /* minutes west of Greenwich, and daylight saving: UTC */
	int64_t sec;
	uint32_t nsec;

	if (clock_read(0, &sec, &nsec))
		return -EINVAL;
	if (thread->regs[A1] && copy_out(thread->regs[A1], &zone, sizeof(zone)))
		return -EFAULT;
	return thread->regs[A0] ? put_time(thread->regs[A0], sec, nsec / 1000) : 0;
}

/* Where the machine has such a call: it tells the second of REALTIME_COARSE, as the vDSO does. */
long sys_time(struct thread *thread)
{
	uint64_t to = thread->regs[A0];
	int64_t sec;
	uint32_t nsec;

	if (clock_read(5, &sec, &nsec))
		return -EINVAL;
	return to && copy_out(to, &sec, sizeof(sec)) ? -EFAULT : sec;
}

static long write(uint64_t file, uint64_t from, uint64_t size)
{
	char part[256];

	if (file != 1 && file != 2)
		return -EBADF;
	for (uint64_t done = 0; done < size;) {
		uint64_t count = size - done < sizeof(part) ? size - done : sizeof(part);

		if (copy_in(part, from + done, count))
			return done ? (long)done : -EFAULT;
		console_write(part, count);
		done += count;
	}
	return (long)size;
}

static long sys_write(struct thread *thread)
{
	return write(thread->regs[A0], thread->regs[A1], thread->regs[A2]);
}

static long sys_writev(struct thread *thread)
{
	long done = 0;

	for (uint64_t i = 0; i < thread->regs[A2]; i++) {
		uint64_t piece[2];
		long result = copy_in(piece, thread->regs[A1] + i * sizeof(piece), sizeof(piece));

		if (!result)
			result = write(thread->regs[A0], piece[0], piece[1]);
		if (result < 0)
			return done ? done : result;
		done += result;
	}
	return done;
}

/* The console is open, as files 0 to 2, and takes no flags. */
static long sys_fcntl(struct thread *thread)
{
	return thread->regs[A0] <= 2 ? 0 : -EBADF;
}

static long sys_exit(struct thread *thread)
{
	thread_exit((int)thread->regs[A0] & 0xff);
}

static long sys_exit_group(struct thread *thread)
{
	program_end((int)thread->regs[A0] & 0xff);
}

/* PROT_READ, PROT_WRITE, PROT_EXEC are bits 0 to 2. In a page table a writable page must be readable. */
static uint64_t access_of(uint64_t protection)
{
	return (protection & 3 ? READ : 0) | (protection & 2 ? WRITE : 0) | (protection & 4 ? EXEC : 0);
}

/* Gives out addresses upwards, and none twice: user space is large, and programs here are short. */
static long sys_mmap(struct thread *thread)
{
	static uint64_t next = MMAP_START;
	uint64_t address = thread->regs[A0], size = page_round(thread->regs[A1]), flags = thread->regs[A3];

	if (!(flags & MAP_ANONYMOUS))
		return -EBADF;
	if (!(flags & MAP_FIXED))
		address = __atomic_fetch_add(&next, size, __ATOMIC_RELAXED);
	long result = mm_map(address, size, access_of(thread->regs[A2]));
	return result ? result : (long)address;
}

static long sys_munmap(struct thread *thread)
{
	return mm_unmap(thread->regs[A0], page_round(thread->regs[A1]));
}

static long sys_mprotect(struct thread *thread)
{
	return mm_protect(thread->regs[A0], page_round(thread->regs[A1]), access_of(thread->regs[A2]));
}

static long sys_brk(struct thread *thread)
{
	static uint64_t start, end;
	uint64_t wanted = thread->regs[A0];

	lock(&break_lock);
	if (!start)
		start = end = program_break;
	uint64_t old = page_round(end), new = page_round(wanted);
	if (wanted >= start && (new == old || (new > old ? mm_map(old, new - old, READ | WRITE) : mm_unmap(new, old - new)) == 0))
		end = wanted;
	long result = (long)end;
	unlock(&break_lock);
	return result;
}

/* Makes a thread; processes are not there. */
static long sys_clone(struct thread *thread)
{
	uint64_t flags = thread->regs[A0], stack = thread->regs[A1], parent_tid = thread->regs[A2], child_tid = thread->regs[CLONE_CHILD];
	struct thread *new;

	if (!(flags & CLONE_VM) || !(flags & CLONE_THREAD))
		return -ENOSYS;
	new = thread_new();
	if (!new)
		return -EAGAIN;
	int tid = new->tid;
	fp_sync(thread);
	memcpy(new->regs, thread->regs, sizeof(new->regs));
	new->fp = thread->fp;
	new->blocked = thread->blocked;
	new->regs[RESULT] = 0;
	if (stack)
		new->regs[SP] = stack;
	if (flags & CLONE_SETTLS)
		new->regs[TP] = thread->regs[CLONE_TLS];
	if (flags & CLONE_CHILD_CLEARTID)
		new->clear_tid = child_tid;
	if (flags & CLONE_CHILD_SETTID)
		copy_out(child_tid, &tid, sizeof(tid));
	if (flags & CLONE_PARENT_SETTID)
		copy_out(parent_tid, &tid, sizeof(tid));
	thread_start(new);
	return tid;
}

static long sys_set_tid_address(struct thread *thread)
{
	thread->clear_tid = thread->regs[A0];
	return thread->tid;
}

static long sys_getpid(struct thread *thread)
{
	(void)thread;
	return PROCESS_ID;
}

static long sys_gettid(struct thread *thread)
{
	return thread->tid;
}

static long sys_sched_yield(struct thread *thread)
{
	thread->regs[RESULT] = 0; /* before another CPU may run it */
	thread_yield();
	return 0;
}

/* Gives all CPUs but, with write=MS, the last one, which runs no thread. */
static long sys_sched_getaffinity(struct thread *thread)
{
	uint64_t mask = (1ul << (machine.cpus - (writer_ms ? 1 : 0))) - 1;

	if (thread->regs[A1] < sizeof(mask))
		return -EINVAL;
	return copy_out(thread->regs[A2], &mask, sizeof(mask)) ? -EFAULT : (long)sizeof(mask);
}

static long sys_getcpu(struct thread *thread)
{
	uint32_t cpu = this_cpu()->index, node = 0;

	if (thread->regs[A0] && copy_out(thread->regs[A0], &cpu, sizeof(cpu)))
		return -EFAULT;
	return thread->regs[A1] ? copy_out(thread->regs[A1], &node, sizeof(node)) : 0;
}

static long sys_prlimit64(struct thread *thread)
{
	uint64_t limit = thread->regs[A1] == RLIMIT_STACK ? 8ul << 20 : UINT64_MAX, limits[2] = {limit, limit};

	if (thread->regs[A2])
		return -EINVAL;
	return thread->regs[A3] ? copy_out(thread->regs[A3], limits, sizeof(limits)) : 0;
}

/* Not secret: SplitMix64 of the counter. A kernel for more than examples needs a source of entropy. */
static long sys_getrandom(struct thread *thread)
{
	static uint64_t state;

	for (uint64_t done = 0; done < thread->regs[A1]; done += sizeof(uint64_t)) {
		uint64_t rest = thread->regs[A1] - done;

		lock(&random_lock);
		uint64_t word = state += 0x9e3779b97f4a7c15 + counter_now();
		unlock(&random_lock);
		word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9;
		word = (word ^ word >> 27) * 0x94d049bb133111eb;
		word ^= word >> 31;
		if (copy_out(thread->regs[A0] + done, &word, rest < sizeof(word) ? rest : sizeof(word)))
			return -EFAULT;
	}
	return (long)thread->regs[A1];
}

/* Where the machine has such a call. */
long sys_flush_icache(struct thread *thread)
{
	(void)thread;
	mm_code_changed();
	return 0;
}

static long (*const calls[MAX_SYSCALL])(struct thread *) = {
	[NR_FCNTL] = sys_fcntl,
	[NR_WRITE] = sys_write,
	[NR_WRITEV] = sys_writev,
	[NR_EXIT] = sys_exit,
	[NR_EXIT_GROUP] = sys_exit_group,
	[NR_SET_TID_ADDRESS] = sys_set_tid_address,
	[NR_FUTEX] = sys_futex,
	[NR_NANOSLEEP] = sys_nanosleep,
	[NR_CLOCK_GETTIME] = sys_clock_gettime,
	[NR_CLOCK_GETRES] = sys_clock_getres,
	[NR_CLOCK_NANOSLEEP] = sys_clock_nanosleep,
	[NR_SCHED_GETAFFINITY] = sys_sched_getaffinity,
	[NR_SCHED_YIELD] = sys_sched_yield,
	[NR_KILL] = sys_kill,
	[NR_TKILL] = sys_tkill,
	[NR_TGKILL] = sys_tgkill,
	[NR_SIGALTSTACK] = sys_sigaltstack,
	[NR_RT_SIGACTION] = sys_rt_sigaction,
	[NR_RT_SIGPROCMASK] = sys_rt_sigprocmask,
	[NR_RT_SIGRETURN] = sys_rt_sigreturn,
	[NR_GETCPU] = sys_getcpu,
	[NR_GETTIMEOFDAY] = sys_gettimeofday,
	[NR_GETPID] = sys_getpid,
	[NR_GETTID] = sys_gettid,
	[NR_BRK] = sys_brk,
	[NR_MUNMAP] = sys_munmap,
	[NR_CLONE] = sys_clone,
	[NR_MMAP] = sys_mmap,
	[NR_MPROTECT] = sys_mprotect,
	[NR_PRLIMIT64] = sys_prlimit64,
	[NR_GETRANDOM] = sys_getrandom,
	MACHINE_CALLS
};

/* Tells whether a word of the command line takes the system call away. */
static int is_switched_off(uint64_t number)
{
	switch (number) {
	case NR_KILL:
	case NR_TKILL:
	case NR_TGKILL:
	case NR_SIGALTSTACK:
	case NR_RT_SIGACTION:
	case NR_RT_SIGPROCMASK:
	case NR_RT_SIGRETURN:
		return !signals_on;
	case NR_CLONE:
		return !clone_on;
	default:
		return 0;
	}
}

void syscall(struct thread *thread)
{
	struct cpu *cpu = this_cpu();
	uint64_t number = thread->regs[NUMBER];
	long result = -ENOSYS;

	cpu->syscalls[number < MAX_SYSCALL ? number : MAX_SYSCALL]++;
	thread->regs[PC] += SYSCALL_STEP;
	if (number < MAX_SYSCALL && calls[number] && !is_switched_off(number))
		result = calls[number](thread);
	if (cpu->thread) /* otherwise it waits, or runs elsewhere by now, and the one that wakes it answers */
		thread->regs[RESULT] = (uint64_t)result;
}
