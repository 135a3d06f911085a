/* SPDX-License-Identifier: MIT */
/*
 * Runs an unmodified Linux program as a kernel does that gives it our vDSO. For user mode emulation, which has none, and for
 * Linux on a machine of the image's architecture, where it takes the place of Linux's own.
 *
 *	[qemu-ARCH [-L SYSROOT]] launcher [OPTIONS] IMAGE DATA_OFFSET PROGRAM [ARGUMENT...]
 *	[qemu-ARCH] launcher --hz
 *
 * The second form prints the frequency of the counter, as it is measured here.
 *
 * IMAGE is a vdso.so; it is mapped R-X, and a data page R-- DATA_OFFSET bytes from there (the number in vdso.h and
 * vdso.json; the word `none` for an image without a data page). PROGRAM is an ELF file, ET_EXEC or ET_DYN; its
 * interpreter is opened by its own name, which QEMU looks for in SYSROOT first. Options:
 *
 *	--at=ADDRESS		where the image lies (default 0x300000000)
 *	--auxv=no		no AT_SYSINFO_EHDR: the program finds no vDSO
 *	--image=write		the image R-W-X: wrong
 *	--page=write		the data page R-W: wrong
 *	--page=zero		a page of zeros, as before `init`: every clock asks the kernel
 *	--page=none		no page where the image expects one: wrong
 *
 * The clocks of the page agree with those of the system: the counter is the host's, under QEMU too, and its rate is
 * measured here, a tenth of a second long. The launcher's last system call is a write to file -1, so that in what
 * `-strace` shows all that follows is the program's. Status 127: not launched.
 *
 * Link statically at 0x60000000 (-static -Wl,-Ttext-segment=0x60000000), out of the way of programs.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "launch.h"
#include "vdso_data.h"

#define PAGE 4096ul
#define DOWN(x) ((x) & ~(PAGE - 1))
#define UP(x) DOWN((x) + PAGE - 1)
#define CALIBRATION_NS 100000000
#define NSEC 1000000000

struct options {
	uintptr_t at;
	int auxv;
	int image_prot;
	const char *page;
};

struct program {
	uintptr_t bias;
	uintptr_t entry;
	uintptr_t phdr;
	unsigned phnum;
	char interpreter[256];
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "launcher: %s: %s\n", what, why);
	exit(127);
}

static void *map(const char *what, uintptr_t at, size_t size, int prot, int flags, int fd, off_t offset)
{
	void *got = mmap((void *)at, size, prot, MAP_PRIVATE | flags, fd, offset);

	if (got == MAP_FAILED)
		die(what, strerror(errno));
	return got;
}

static void protect(const char *what, uintptr_t at, size_t size, int prot)
{
	if (mprotect((void *)at, size, prot))
		die(what, strerror(errno));
}

/* ---- The clock. ---- */

struct sample {
	uint64_t counter;
	struct timespec time;
};

/* The system's time and the counter of the same moment: the closest of some tries. */
static struct sample sample(int clock)
{
	struct sample best = {0};
	uint64_t closest = UINT64_MAX;
	int i;

	for (i = 0; i < 20; i++) {
		struct timespec time;
		uint64_t before = vdso_counter_unordered(), after;

		if (syscall(SYS_clock_gettime, clock, &time))
			die("clock_gettime", strerror(errno));
		after = vdso_counter_unordered();
		if (after - before < closest) {
			closest = after - before;
			best.counter = before + (after - before) / 2;
			best.time = time;
		}
	}
	return best;
}

static uint64_t measure_hz(void)
{
	struct sample first = sample(VDSO_MONOTONIC_RAW), second;
	struct timespec pause = {0, CALIBRATION_NS};
	uint64_t ns;

	while (nanosleep(&pause, &pause))
		;
	second = sample(VDSO_MONOTONIC_RAW);
	ns = (uint64_t)(second.time.tv_sec - first.time.tv_sec) * NSEC + second.time.tv_nsec - first.time.tv_nsec;
	return ((unsigned __int128)(second.counter - first.counter) * NSEC + ns / 2) / ns;
}

/*
 * Each line is set by hand to the system's own time: `set_monotonic` goes forward only, and the counter of a virtual
 * machine may be older than its CLOCK_MONOTONIC. Nobody reads the page yet.
 */
static void start_clocks(struct vdso_data *d)
{
	static const struct {
		int row, system;
	} clocks[] = {
		{VDSO_MONOTONIC, CLOCK_MONOTONIC},	  {VDSO_MONOTONIC_RAW, CLOCK_MONOTONIC_RAW},
		{VDSO_MONOTONIC_COARSE, CLOCK_MONOTONIC}, {VDSO_BOOTTIME, CLOCK_BOOTTIME},
		{VDSO_REALTIME, CLOCK_REALTIME},	  {VDSO_REALTIME_COARSE, CLOCK_REALTIME},
		{VDSO_TAI, CLOCK_TAI},
	};
	uint64_t hz = measure_hz();
	struct sample now = sample(CLOCK_REALTIME);
	unsigned i;

	if (vdso_data_init(d, hz) || vdso_data_set_realtime(d, now.counter, now.time.tv_sec, now.time.tv_nsec))
		die("the counter", "a rate that vdso_data_init refuses");
	for (i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
		int row = clocks[i].row;

		now = sample(clocks[i].system);
		vdso_line_set(&d->line[row], now.counter, vdso_data_time(now.time.tv_sec, now.time.tv_nsec));
		vdso_data_place(d, row);
	}
}

/* ---- What a kernel does at exec. ---- */

static void map_vdso(const struct options *options, const char *path, const char *data_offset)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	uintptr_t page;

	if (fd < 0 || fstat(fd, &st))
		die(path, strerror(errno));
	if (!st.st_size || st.st_size % PAGE)
		die(path, "not an image: no multiple of 4096 bytes");
	map(path, options->at, st.st_size, options->image_prot, MAP_FIXED, fd, 0);
	close(fd);
	if (!strcmp(data_offset, "none") || !strcmp(options->page, "none"))
		return;
	page = options->at + strtoll(data_offset, NULL, 0);
	map("data page", page, PAGE, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_ANONYMOUS, -1, 0);
	if (strcmp(options->page, "zero"))
		start_clocks((struct vdso_data *)page);
	if (strcmp(options->page, "write"))
		protect("data page", page, PAGE, PROT_READ);
}

static int prot_of(const Elf64_Phdr *p)
{
	return (p->p_flags & PF_R ? PROT_READ : 0) | (p->p_flags & PF_W ? PROT_WRITE : 0) |
	       (p->p_flags & PF_X ? PROT_EXEC : 0);
}

static void map_segment(const char *path, int fd, uintptr_t bias, const Elf64_Phdr *p)
{
	uintptr_t start = bias + p->p_vaddr, file_end = start + p->p_filesz, end = start + p->p_memsz;

	if (p->p_filesz)
		map(path, DOWN(start), file_end - DOWN(start), prot_of(p), MAP_FIXED, fd, DOWN(p->p_offset));
	if (end == file_end)
		return;
	if (p->p_filesz && file_end % PAGE) {
		protect(path, DOWN(file_end), PAGE, PROT_READ | PROT_WRITE);
		memset((void *)file_end, 0, UP(file_end) - file_end);
		protect(path, DOWN(file_end), PAGE, prot_of(p));
	}
	if (UP(file_end) < end)
		map(path, UP(file_end), end - UP(file_end), prot_of(p), MAP_FIXED | MAP_ANONYMOUS, -1, 0);
}

static void load(const char *path, struct program *program)
{
	int fd = open(path, O_RDONLY);
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdrs[64];
	uintptr_t lowest = UINTPTR_MAX, highest = 0;
	unsigned i;

	memset(program, 0, sizeof(*program));
	if (fd < 0)
		die(path, strerror(errno));
	if (pread(fd, &ehdr, sizeof(ehdr), 0) != sizeof(ehdr) || memcmp(ehdr.e_ident, ELFMAG "\2\1", 6) ||
	    ehdr.e_machine != LAUNCH_MACHINE || ehdr.e_phnum > 64 || ehdr.e_phentsize != sizeof(phdrs[0]))
		die(path, "no ELF program of this architecture");
	if (pread(fd, phdrs, ehdr.e_phnum * sizeof(phdrs[0]), ehdr.e_phoff) < 0)
		die(path, strerror(errno));
	for (i = 0; i < ehdr.e_phnum; i++) {
		if (phdrs[i].p_type != PT_LOAD)
			continue;
		if (phdrs[i].p_vaddr < lowest)
			lowest = DOWN(phdrs[i].p_vaddr);
		if (phdrs[i].p_vaddr + phdrs[i].p_memsz > highest)
			highest = UP(phdrs[i].p_vaddr + phdrs[i].p_memsz);
	}
	if (lowest >= highest)
		die(path, "nothing to load");
	if (ehdr.e_type == ET_DYN)
		program->bias =
			(uintptr_t)map(path, 0, highest - lowest, PROT_NONE, MAP_ANONYMOUS, -1, 0) - lowest;
	for (i = 0; i < ehdr.e_phnum; i++) {
		const Elf64_Phdr *p = &phdrs[i];

		if (p->p_type == PT_LOAD) {
			map_segment(path, fd, program->bias, p);
			if (ehdr.e_phoff >= p->p_offset && ehdr.e_phoff < p->p_offset + p->p_filesz)
				program->phdr = program->bias + p->p_vaddr + (ehdr.e_phoff - p->p_offset);
		} else if (p->p_type == PT_INTERP && p->p_filesz < sizeof(program->interpreter)) {
			if (pread(fd, program->interpreter, p->p_filesz, p->p_offset) < 0)
				die(path, strerror(errno));
		}
	}
	close(fd);
	program->entry = program->bias + ehdr.e_entry;
	program->phnum = ehdr.e_phnum;
}

/* A new stack below our own: argc, argv, envp and our own auxv with what differs for the program. */
static uint64_t *build_stack(uint64_t *top, char **argv, char **envp, const Elf64_auxv_t *changes, unsigned count)
{
	uint64_t argc = 0, envc = 0, auxc = 0, *sp, *word;
	Elf64_auxv_t *own;
	unsigned i;

	while (argv[argc])
		argc++;
	while (envp[envc])
		envc++;
	for (own = (Elf64_auxv_t *)(envp + envc + 1); own[auxc].a_type != AT_NULL;)
		auxc++;
	sp = word = (uint64_t *)((uintptr_t)(top - (argc + envc + 3 + 2 * (auxc + count + 1))) & ~15ul);
	*word++ = argc;
	word = mempcpy(word, argv, (argc + 1) * sizeof(*argv));
	word = mempcpy(word, envp, (envc + 1) * sizeof(*envp));
	for (; own->a_type != AT_NULL; own++) {
		for (i = 0; i < count && changes[i].a_type != own->a_type; i++)
			;
		if (i == count && own->a_type != AT_SYSINFO_EHDR) /* newer QEMUs have a vDSO of their own */
			word = mempcpy(word, own, sizeof(*own));
	}
	word = mempcpy(word, changes, count * sizeof(*changes));
	word[0] = AT_NULL;
	word[1] = 0;
	return sp;
}

static struct options parse(char ***rest)
{
	struct options options = {0x300000000, 1, PROT_READ | PROT_EXEC, "read"};
	char **word;

	for (word = *rest; *word && !strncmp(*word, "--", 2); word++) {
		if (!strncmp(*word, "--at=", 5))
			options.at = strtoull(*word + 5, NULL, 0);
		else if (!strcmp(*word, "--auxv=no"))
			options.auxv = 0;
		else if (!strcmp(*word, "--image=write"))
			options.image_prot |= PROT_WRITE;
		else if (!strcmp(*word, "--page=write") || !strcmp(*word, "--page=zero") || !strcmp(*word, "--page=none"))
			options.page = *word + 7;
		else
			die(*word, "unknown option");
	}
	*rest = word;
	return options;
}

int main(int argc, char **argv, char **envp)
{
	struct options options;
	struct program program, interpreter = {0};
	char **words = argv + 1;
	uint64_t *stack;

	if (argc == 2 && !strcmp(argv[1], "--hz"))
		return printf("%lu\n", (unsigned long)measure_hz()) < 0;
	options = parse(&words);
	if (argc - (words - argv) < 3)
		die("usage", "launcher [OPTIONS] IMAGE DATA_OFFSET PROGRAM [ARGUMENT...]");
	load(words[2], &program);
	if (*program.interpreter)
		load(program.interpreter, &interpreter);
	map_vdso(&options, words[0], words[1]);
	{
		const Elf64_auxv_t changes[] = {
			{AT_PHDR, {program.phdr}},
			{AT_PHENT, {sizeof(Elf64_Phdr)}},
			{AT_PHNUM, {program.phnum}},
			{AT_BASE, {interpreter.bias}},
			{AT_ENTRY, {program.entry}},
			{AT_EXECFN, {(uintptr_t)words[2]}},
			{AT_SYSINFO_EHDR, {options.at}},
		};
		unsigned count = sizeof(changes) / sizeof(changes[0]) - !options.auxv;
		uint64_t room[4096];

		stack = build_stack(room + 4096, words + 2, envp, changes, count);
		syscall(SYS_write, -1, "launched", 8);
		/* as Linux enters a program: no function to call at exit */
		launch_enter(stack, interpreter.entry ? interpreter.entry : program.entry);
	}
	__builtin_unreachable();
}
