/* SPDX-License-Identifier: MIT */
/*
 * Does the kernel refuse to write for a process where that process may not write itself? If its copy to user space only looks
 * whether a page is the user's, any process can set the clock of all others, and rewrite the code that they run.
 */
#include "data_page.h"
#include "faults.h"
#include "kernel.h"
#include "tests.h"

#define MOST 32 /* no call below writes more bytes */

#define WRITABLE "a process can write there itself: mend that first"

static const char bytes_of_pipe[MOST] = "written by read() from a pipe";

static long gettime(uint64_t to)
{
	return kernel_clock_gettime(VDSO_MONOTONIC, (struct vdso_timespec *)to);
}

static long getres(uint64_t to)
{
	return kernel_clock_getres(VDSO_MONOTONIC, (struct vdso_timespec *)to);
}

static long timeofday(uint64_t to)
{
	return kernel_gettimeofday((struct vdso_timeval *)to, 0);
}

static long cpu(uint64_t to)
{
	return vdso_syscall3(VDSO_NR_GETCPU, (long)to, 0, 0);
}

static long mask(uint64_t to)
{
	return kernel_sigmask(0, (uint64_t *)to);
}

static long action(uint64_t to)
{
	return vdso_syscall5(VDSO_NR_RT_SIGACTION, SIGURG, 0, (long)to, sizeof(uint64_t), 0);
}

static long from_pipe(uint64_t to)
{
	static int files[2];

	if (files[0] == files[1] && kernel_pipe(files) != 0)
		return -ENOSYS;
	if (files[0] == files[1]) /* a kernel that answers 0 to everything made no pipe */
		return -ENOSYS;
	if (kernel_write(files[1], bytes_of_pipe, MOST) != MOST)
		return -EFAULT;
	return kernel_read(files[0], to, MOST);
}

static const struct path {
	const char *name;
	long (*write)(uint64_t to);
} paths[] = {
	{ "clock_gettime", gettime },
	{ "clock_getres", getres },
	{ "gettimeofday", timeofday },
	{ "getcpu", cpu },
	{ "rt_sigprocmask", mask },
	{ "rt_sigaction", action },
	{ "read from a pipe", from_pipe },
};

/* The address at which the calls are asked to write, the bytes there before, and the answer of the last call. */
static uint64_t target;
static char before[MOST];
static volatile long answer;

static int changed(const volatile char *bytes)
{
	long i;

	for (i = 0; i < MOST; i++)
		if (bytes[i] != before[i])
			return 1;
	return 0;
}

/* Tells whether the call writes bytes other than those that are there already. */
static int would_change(const struct path *path)
{
	char own[MOST];
	long i;

	for (i = 0; i < MOST; i++)
		own[i] = before[i];
	return path->write((uint64_t)own) >= 0 && changed(own);
}

static void write_by(uint64_t path)
{
	answer = ((const struct path *)path)->write(target);
}

/* Notes what Linux would not do: a call that changed nothing, but did not answer -EFAULT either. */
static void note_if_odd(const struct path *path, long fault)
{
	if (fault != CAME_BACK)
		tap_note("%s, asked for that, %s %ld; on Linux it answers -EFAULT, %ld", path->name, fault_verb(fault),
			 fault_number(fault), (long)-EFAULT);
	else if (answer >= 0)
		tap_note("%s, asked for that, writes nothing and answers %ld; on Linux it answers -EFAULT, %ld", path->name, answer,
			 (long)-EFAULT);
}

/* Judges whether every call refuses to write at `address`, where what is written harms nobody. */
static enum verdict must_refuse(const char *what, uint64_t address)
{
	const struct path *path;
	long i, tried = 0;

	if (faults_forbidden())
		return fault_untried();
	target = address;
	for (i = 0; i < MOST; i++)
		before[i] = ((const volatile char *)address)[i];
	tap_note("system calls are asked to write into %s: if the output ends here, the kernel does not survive it", what);
	for (path = paths; path < paths + sizeof(paths) / sizeof(*paths); path++) {
		long fault;

		if (!would_change(path))
			continue;
		tried++;
		fault = fault_risked(0, write_by, (uint64_t)path);
		if (changed((const volatile char *)address))
			return not_ok("%s, asked to write at %lx, answers %ld and has changed what lies there: let every way by which your\n"
				      "kernel writes to user memory (copyout) refuse a page that the user may not write, with -EFAULT, %ld.\n"
				      "A process could have it write what every other process reads or runs",
				      path->name, address, answer, (long)-EFAULT);
		note_if_odd(path, fault);
	}
	return tried ? OK : skip("of clock_gettime, getcpu, rt_sigaction, read and such none writes for a program");
}

enum verdict test_image_copyout(void)
{
	uint64_t at;

	if (image_writable)
		return skip(WRITABLE);
	for (at = image.size - MOST; at > sizeof(struct elf_header); at -= sizeof(uint64_t)) {
		const char *bytes = image_at(at, MOST);
		long i;

		for (i = 0; i < MOST && !bytes[i]; i++)
			;
		if (i == MOST)
			return must_refuse("the image", image.address + at);
	}
	return skip("the image has no %ld bytes that nobody needs", (long)MOST);
}

enum verdict test_data_copyout(void)
{
	if (data_writable)
		return skip(WRITABLE);
	return must_refuse("the data page", image_data() + __builtin_offsetof(struct vdso_data, extra) - MOST);
}
