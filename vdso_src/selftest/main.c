/* SPDX-License-Identifier: MIT */
/*
 * vdso-selftest: a process that tells whether its kernel uses the vDSO as it should.
 *
 * It is freestanding: the kernel must only load a static ELF file, make a stack as on Linux, and know write() and exit() by
 * Linux's numbers. The test makes faults on purpose; with the argument `nofaults` it makes none.
 */
#include "elf.h"
#include "faults.h"
#include "image.h"
#include "kernel.h"
#include "strings.h"
#include "tests.h"

#define AUXV_LIMIT 64 /* entries; a longer table is no auxiliary vector */
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

const char *lacking[NEEDS];

struct test {
	const char *name;
	enum verdict (*run)(void);
	enum need need;
};

static const struct test before_clocks[] = {
	{ "AT_SYSINFO_EHDR is in the auxiliary vector", test_entry, NOTHING },
	{ "AT_SYSINFO_EHDR is the address of a page", test_alignment, ENTRY },
	{ "the image can be read, all of it", test_image, ENTRY },
	{ "it has the exports that C libraries call", test_exports, IMAGE },
	{ "DT_HASH leads to every export", test_hash, IMAGE },
	{ "DT_GNU_HASH leads to every export", test_gnu_hash, IMAGE },
	{ "every export has its version", test_versions, IMAGE },
	{ "the image can't be written", test_image_write, IMAGE },
	{ "the data page can be read", test_data_read, IMAGE },
	{ "the data page is initialised", test_data, DATA },
	{ "the data page can't be written", test_data_write, DATA },
	{ "the data page can't be executed", test_data_execute, DATA },
	{ "mprotect() can't make the data page writable", test_data_mprotect, DATA },
	{ "system calls can't write into the image", test_image_copyout, IMAGE },
	{ "system calls can't write into the data page", test_data_copyout, DATA },
	{ "signal handlers return as Linux's do", test_handler, IMAGE },
	{ "user mode can read the counter", test_counter, NOTHING },
	{ "reading the counter does not trap", test_counter_cost, COUNTER },
	{ "the counter has not started anew", test_base, DATA },
	{ "a call of the vDSO comes back", test_call, CALLS },
};

/* The clocks that the vDSO serves, and some that it leaves to the kernel. */
static const struct clock {
	const char *name;
	long id;
} clocks[] = {
	{ "clock_gettime(REALTIME)", 0 },
	{ "clock_gettime(MONOTONIC)", 1 },
	{ "clock_gettime(MONOTONIC_RAW)", 4 },
	{ "clock_gettime(REALTIME_COARSE)", 5 },
	{ "clock_gettime(MONOTONIC_COARSE)", 6 },
	{ "clock_gettime(BOOTTIME)", 7 },
	{ "clock_gettime(TAI)", 11 },
	{ "clock_gettime(2)", 2 },
	{ "clock_gettime(3)", 3 },
	{ "clock_gettime(99)", 99 },
	{ "clock_gettime(-1)", -1 },
};

static const struct test behind_clocks[] = {
	{ "gettimeofday", test_gettimeofday, CALLS },
	{ "clock_getres", test_getres, CALLS },
	{ "the other exports", test_others, CALLS },
	{ "MONOTONIC does not go back in a second", test_second, CALLS },
	{ "MONOTONIC does not go back between threads", test_threads, CALLS },
};

static void run(const struct test *test, unsigned count)
{
	for (; count--; test++)
		tap_result(test->name, lacking[test->need] ? skip("%s", lacking[test->need]) : test->run());
}

static void run_clocks(void)
{
	const struct clock *clock;

	for (clock = clocks; clock < clocks + COUNT(clocks); clock++)
		tap_result(clock->name, lacking[CALLS] ? skip("%s", lacking[CALLS]) : test_clock(clock->id));
}

/* Returns an entry of the auxiliary vector, which lies behind arguments and environment; each of those ends with a NULL. */
static uint64_t auxv(const uint64_t *stack, uint64_t type)
{
	const struct elf_auxv *entry;
	uint64_t i, at = 1 + stack[0] + 1;

	while (stack[at])
		at++;
	entry = (const struct elf_auxv *)&stack[at + 1];
	for (i = 0; i < AUXV_LIMIT && entry[i].type != AT_NULL; i++)
		if (entry[i].type == type)
			return entry[i].value;
	return 0;
}

static int has_argument(const uint64_t *stack, const char *word)
{
	uint64_t i;

	for (i = 1; i <= stack[0]; i++)
		if (same((const char *)stack[i], word))
			return 1;
	return 0;
}

/* Runs all tests. _start calls it. */
void __attribute__((noreturn)) selftest(const uint64_t *stack)
{
	tap_plan(COUNT(before_clocks) + COUNT(clocks) + COUNT(behind_clocks));
	lacking[ENTRY] = lacking[IMAGE] = lacking[DATA] = lacking[CALLS] = "there is no image";
	image.address = auxv(stack, AT_SYSINFO_EHDR);
	faults_learn(!has_argument(stack, "nofaults"));
	run(before_clocks, COUNT(before_clocks));
	tap_note("vDSO against system call");
	run_clocks();
	run(behind_clocks, COUNT(behind_clocks));
	note_costs();
	kernel_exit(tap_end());
}
