/* SPDX-License-Identifier: MIT */
/*
 * Everything that this kernel does for its vDSO, in one file. Copy it into your kernel.
 *
 *	at boot          vdso_boot(), then vdso_cpu() on each CPU
 *	for a program    vdso_map(), and AT_SYSINFO_EHDR (33) = vdso_address in its auxiliary vector
 *	for a signal     a handler returns to vdso_sigreturn; 0: the image has no such code, as C libraries bring it
 *	system calls     clock_gettime and gettimeofday are clock_read(), clock_getres is clock_resolution()
 *	the clock        clock_set_realtime(), clock_adjust(), clock_suspend(), clock_resume(), clock_unreliable()
 *
 * The rest of the kernel must have a lock, and a function that maps one page for the program.
 */
#include "kernel.h"

#define VDSO_PAGE_SIZE PAGE /* so that an image for smaller pages is refused */
#define VDSO_IMPLEMENTATION /* vdso_image[] itself comes into this file */
#include "vdso.h"

const uint64_t vdso_address = VDSO_LOAD_ADDR;
#ifdef VDSO_SYM_RT_SIGRETURN
const uint64_t vdso_sigreturn = VDSO_LOAD_ADDR + VDSO_SYM_RT_SIGRETURN;
#else
const uint64_t vdso_sigreturn = 0;
#endif

/* The page that the kernel writes and every program reads. Its type gives it a page of its own: no neighbour is exposed. */
static union vdso_data_page page;

/*
 * Reads the counter that user mode reads. With COUNTER=mmio:OFFSET it is a word of a page of a device, which is mapped into each
 * program; cpu.h knows which.
 */
#ifdef VDSO_COUNTER_OFFSET
static uint64_t counter(void)
{
	return vdso_counter(device(COUNTER_PAGE));
}
#else
static uint64_t counter(void)
{
	return vdso_counter();
}
#endif

/* Allows one writer at a time, and no reader of the kernel beside a writer. Never held with interrupts on. */
static struct lock clock_lock;

/* Words of the kernel's own part of the page, for functions of its own in the vDSO (examples/user-functions/words.h). */
enum { WORD_ONLY_CPU, WORD_TIMEBASE_HZ };

/*
 * `timebase_hz` is the counter's frequency, as the machine says it; `wall_ns` are nanoseconds since 1970, 0 if they are not known:
 * then it is 1970, as on Linux, until clock_set_realtime(). If REALTIME were not set at all, time() would fail.
 * `program_cpus` CPUs will run programs, numbers 0 and up. A kernel that lets another one join stores 0 before that.
 */
void vdso_boot(uint64_t timebase_hz, uint64_t wall_ns, unsigned program_cpus)
{
	if (vdso_data_init(&page.data, timebase_hz))
		panic("the counter runs at %lu Hz, which the data page does not do\n", timebase_hz);
	VDSO_STORE(page.data.extra[WORD_ONLY_CPU], program_cpus == 1 ? 0 + 1 : 0);
	VDSO_STORE(page.data.extra[WORD_TIMEBASE_HZ], timebase_hz);
	clock_set_realtime(counter(), (int64_t)(wall_ns / NSEC_PER_SEC), wall_ns % NSEC_PER_SEC);
}

/* Lets user mode read the counter: cpu.h says how. */
void vdso_cpu(void)
{
	counter_allow(1);
}

_Static_assert(VDSO_MAP_ADDR + VDSO_MAP_SIZE <= MMAP_START, "this kernel has a place for it below what programs map");

/* Maps the image and the data page into the program. The addresses of both are known to the code of the image. */
void vdso_map(void)
{
	const uint64_t image_access = READ | EXEC;
	const uint64_t data_access = READ;

	for (uint64_t at = 0; at < VDSO_IMAGE_SIZE; at += PAGE)
		mm_map_kernel(VDSO_LOAD_ADDR + at, vdso_image + at, image_access);
	mm_map_kernel(VDSO_LOAD_ADDR + VDSO_DATA_OFFSET, &page, data_access);
#ifdef VDSO_COUNTER_OFFSET
	mm_map_kernel(VDSO_LOAD_ADDR + VDSO_COUNTER_OFFSET, (const void *)COUNTER_PAGE, READ);
#endif
}

/*
 * System calls read the page, so that they never disagree with the vDSO. They read the counter under the lock: otherwise a
 * writer in between could have stopped or slowed the clock at a later time. vdso_counter() keeps the counter there, which
 * acquire and release of a lock do not. -1: the page does not know the clock.
 */
int clock_read(int clock, int64_t *sec, uint32_t *nsec)
{
	lock(&clock_lock);
	int result = vdso_data_read(&page.data, clock, counter(), sec, nsec);
	unlock(&clock_lock);
	return result;
}

int clock_resolution(int clock, int64_t *sec, uint32_t *nsec)
{
	lock(&clock_lock);
	int result = vdso_data_getres(&page.data, clock, sec, nsec);
	unlock(&clock_lock);
	return result;
}

/*
 * Changes of the clock. From `begin` to `end` programs ask the kernel, where they wait for the lock. The counter is read after
 * `begin`: with an earlier value, a program could have seen a later time of the old clock than the start of the new one.
 */
static uint64_t change_begin(void)
{
	lock(&clock_lock);
	vdso_data_begin(&page.data);
	return counter();
}

/* `status` is what the call between the two answered: 0, or -1 where it was refused and changed nothing. */
static int change_end(int status)
{
	vdso_data_end(&page.data);
	unlock(&clock_lock);
	return status;
}

/* Sets the wall clock: when the counter was `counter`, it was sec + nsec / 10^9 seconds after 1970. */
int clock_set_realtime(uint64_t counter, int64_t sec, uint32_t nsec)
{
	change_begin();
	return change_end(vdso_data_set_realtime(&page.data, counter, sec, nsec));
}

/* Lets the clocks run (10^9 + ppb) / 10^9 times as fast as the counter's frequency says. */
int clock_adjust(int64_t ppb)
{
	return change_end(vdso_data_adjust(&page.data, change_begin(), ppb));
}

/* Call these before a sleep, and after it. */
int clock_suspend(void)
{
	return change_end(vdso_data_suspend(&page.data, change_begin()));
}

int clock_resume(uint64_t slept_ns)
{
	return change_end(vdso_data_resume(&page.data, change_begin(), slept_ns));
}

/* The counter can't be relied on: from here on every program asks the kernel, and reads no counter any more. */
void clock_unreliable(void)
{
	lock(&clock_lock);
	vdso_data_disable(&page.data);
	unlock(&clock_lock);
}
