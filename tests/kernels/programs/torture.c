/* SPDX-License-Identifier: MIT */
/*
 * Threads that read REALTIME and MONOTONIC through the vDSO, found as the auxiliary vector says, while the kernel changes
 * the clock all the time (write=MS of the example kernels).
 *
 *	torture THREADS READS HZ
 *
 * The threads read as often as READS says in all, and stop at the first of what must never be:
 *
 *	torn	a REALTIME that belongs to neither of the two timelines that the kernel sets in turn
 *	back	a MONOTONIC before one that was read before: by the same thread or by another one, through the vDSO or by
 *		a system call of our own
 *
 * The library's clock functions are not called: each clock_gettime that the kernel counts beyond `direct` is one of the
 * vDSO, which met the kernel while it wrote.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NSEC 1000000000LL
/* The example kernels' writer: REALTIME is one of these plus the time since the counter was 0. */
#define FIRST (1000000000 * NSEC)
#define SECOND (3000000000 * NSEC)
/* Less than the third of a second by which a torn value is wrong; much more than what the writer's other changes do. */
#define TOLERANCE (NSEC / 5)
#define DIRECT_EVERY 64
#define MAX_THREADS 16

static int (*vdso)(clockid_t, struct timespec *);
static long reads_each;
static long long hz;
static _Atomic long long latest; /* the greatest MONOTONIC that any thread has seen */
static atomic_long reads, direct, torn, back;
static atomic_ulong harts;

static uint64_t rdtime(void)
{
	uint64_t counter;

	__asm__ volatile("rdtime %0" : "=r"(counter)::"memory");
	return counter;
}

static long long nominal(uint64_t counter)
{
	return (long long)counter / hz * NSEC + (long long)counter % hz * NSEC / hz;
}

static long long read_with(int (*call)(clockid_t, struct timespec *), clockid_t clock)
{
	struct timespec now = {-1, -1};

	if (call(clock, &now) || now.tv_nsec < 0 || now.tv_nsec >= NSEC) {
		printf("torture: clock %d failed, or gave %lld s %ld ns\n", (int)clock, (long long)now.tv_sec, now.tv_nsec);
		exit(1);
	}
	return now.tv_sec * NSEC + now.tv_nsec;
}

static int system_call(clockid_t clock, struct timespec *now)
{
	direct++;
	return (int)syscall(SYS_clock_gettime, clock, now);
}

/* Does REALTIME belong to a timeline? */
static int realtime(int (*call)(clockid_t, struct timespec *), long long *now)
{
	long long before = nominal(rdtime()), since;

	*now = read_with(call, CLOCK_REALTIME);
	since = *now - (*now < SECOND ? FIRST : SECOND) - before;
	if (since <= TOLERANCE)
		return since >= -TOLERANCE;
	return since <= nominal(rdtime()) - before + TOLERANCE; /* this thread may have stood still between the two */
}

static void monotonic(int (*call)(clockid_t, struct timespec *))
{
	long long known = latest, now = read_with(call, CLOCK_MONOTONIC);

	/* What this thread has read before is not greater than `latest` either. */
	if (now < known && back++ < 5)
		printf("torture: %s: MONOTONIC %lld after %lld, %lld ns back\n", call == vdso ? "vDSO" : "system call", now, known,
		       known - now);
	while (now > known && !atomic_compare_exchange_weak(&latest, &known, now))
		;
}

static void *reader(void *unused)
{
	long long now;
	long i;

	for (i = 0; i < reads_each && !torn && !back; i += 2) {
		if (!realtime(vdso, &now) && torn++ < 5)
			printf("torture: torn REALTIME %lld ns, the counter says %lld\n", now, nominal(rdtime()));
		monotonic(vdso);
		if (i % DIRECT_EVERY == 0)
			monotonic(system_call);
		if (i % 4096 == 0)
			harts |= 1ul << sched_getcpu();
	}
	reads += i;
	return unused;
}

/* The address of a function in the vDSO, by the dynamic symbol table (DT_HASH has its length). */
static void *find(const char *name)
{
	uintptr_t base = getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *file = (const Elf64_Ehdr *)base;
	const Elf64_Phdr *segment = (const Elf64_Phdr *)(base + (base ? file->e_phoff : 0));
	const Elf64_Sym *symbols = NULL;
	const char *strings = NULL;
	const uint32_t *hash = NULL;

	for (int i = 0; base && i < file->e_phnum; i++) {
		if (segment[i].p_type != PT_DYNAMIC)
			continue;
		for (const Elf64_Dyn *entry = (const Elf64_Dyn *)(base + segment[i].p_vaddr); entry->d_tag != DT_NULL; entry++) {
			if (entry->d_tag == DT_SYMTAB)
				symbols = (const Elf64_Sym *)(base + entry->d_un.d_ptr);
			else if (entry->d_tag == DT_STRTAB)
				strings = (const char *)(base + entry->d_un.d_ptr);
			else if (entry->d_tag == DT_HASH)
				hash = (const uint32_t *)(base + entry->d_un.d_ptr);
		}
	}
	for (uint32_t i = 0; symbols && strings && hash && i < hash[1]; i++)
		if (!strcmp(strings + symbols[i].st_name, name))
			return (void *)(base + symbols[i].st_value);
	printf("torture: no %s, the vDSO is at %#lx\n", name, base);
	exit(1);
}

int main(int argc, char **argv)
{
	int threads = argc == 4 ? atoi(argv[1]) : 0;
	pthread_t thread[MAX_THREADS];
	long long now;

	reads_each = argc == 4 ? atol(argv[2]) / (threads ? threads : 1) : 0;
	hz = argc == 4 ? atoll(argv[3]) : 0;
	if (threads < 1 || threads > MAX_THREADS || reads_each < 2 || reads_each % 2 || hz < 1) {
		fprintf(stderr, "usage: torture THREADS READS HZ (READS: an even number for each thread)\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	*(void **)&vdso = find("__vdso_clock_gettime");
	while (!realtime(system_call, &now)) /* until the kernel's writer begins */
		sched_yield();
	for (int i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, reader, NULL)) {
			perror("pthread_create");
			return 1;
		}
	for (int i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	printf("torture: reads=%ld direct=%ld torn=%ld back=%ld harts=%d\n", reads, direct, torn, back,
	       __builtin_popcountl(harts));
	return torn || back;
}
