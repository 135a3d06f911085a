/* SPDX-License-Identifier: MIT */
/* Loads the program: one static ELF file (ET_EXEC) in memory becomes a thread with a stack as a C library expects it. */
#include "kernel.h"

#define ET_EXEC 2
#define PT_LOAD 1
#define STACK_TOP (USER_END - PAGE)
#define STACK_BYTES (8ul << 20)
#define MAX_ARGS 32

enum auxv {
	AT_NULL = 0, AT_PHDR = 3, AT_PHENT = 4, AT_PHNUM = 5, AT_PAGESZ = 6, AT_ENTRY = 9, AT_UID = 11, AT_EUID = 12,
	AT_GID = 13, AT_EGID = 14, AT_HWCAP = 16, AT_CLKTCK = 17, AT_SECURE = 23, AT_RANDOM = 25, AT_SYSINFO_EHDR = 33,
};

struct elf {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum;
};

struct segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

uint64_t program_break;

static void load(const uint8_t *file, size_t size, const struct segment *segment)
{
	uint64_t access = (segment->flags & 4 ? READ : 0) | (segment->flags & 2 ? WRITE : 0) | (segment->flags & 1 ? EXEC : 0);
	uint64_t start = segment->vaddr & -PAGE, end = (segment->vaddr + segment->memsz + PAGE - 1) & -PAGE;

	if (segment->offset > size || segment->filesz > size - segment->offset || segment->filesz > segment->memsz ||
	    mm_map(start, end - start, access) || copy_code(segment->vaddr, file + segment->offset, segment->filesz))
		panic("program: the segment at %lx is not in the file, or can't be mapped there\n", segment->vaddr);
	if (end > program_break)
		program_break = end;
}

/* Pushes bytes, and returns their address. */
static uint64_t push(uint64_t *sp, const void *bytes, size_t size)
{
	*sp -= size;
	if (copy_out(*sp, bytes, size))
		panic("program: its stack is full\n");
	return *sp;
}

/* Makes the stack at the start of a process (as on Linux): argc, argv, 0, environment (none), 0, auxv. */
static uint64_t make_stack(const struct elf *elf, uint64_t phdr, const char *args)
{
	uint64_t words[1 + MAX_ARGS + 1 + 1 + 2 * 16], sp = STACK_TOP, random[2] = {counter_now(), ~counter_now()};
	unsigned count = 0, argc = 1;

	if (mm_map(STACK_TOP - STACK_BYTES, STACK_BYTES, READ | WRITE))
		panic("program: no memory for its stack\n");
	words[++count] = push(&sp, "program", 8);
	while (*args && argc < MAX_ARGS) {
		size_t size = 0;

		while (args[size] && args[size] != ' ')
			size++;
		if (size) {
			push(&sp, "", 1);
			words[++count] = push(&sp, args, size);
			argc++;
		}
		args += args[size] ? size + 1 : size;
	}
	words[0] = argc;
	words[++count] = 0;
	words[++count] = 0;
	sp &= -16ul;
	const uint64_t auxv[][2] = {
		{AT_PHDR, phdr}, {AT_PHENT, elf->phentsize}, {AT_PHNUM, elf->phnum}, {AT_PAGESZ, PAGE}, {AT_ENTRY, elf->entry},
		{AT_UID, 0}, {AT_EUID, 0}, {AT_GID, 0}, {AT_EGID, 0}, {AT_SECURE, 0}, {AT_CLKTCK, 100},
		{AT_HWCAP, MACHINE_HWCAP}, {AT_RANDOM, push(&sp, random, sizeof(random))},
		{AT_SYSINFO_EHDR, vdso_address}, {AT_NULL, 0},
	};
	for (unsigned i = 0; i < sizeof(auxv) / sizeof(auxv[0]); i++) {
		if (auxv[i][0] == AT_SYSINFO_EHDR && !vdso_on)
			continue;
		words[++count] = auxv[i][0];
		words[++count] = auxv[i][1];
	}
	count++;
	sp = (sp - count * sizeof(words[0])) & -16ul;
	sp += count * sizeof(words[0]);
	return push(&sp, words, count * sizeof(words[0]));
}

/* Makes the first thread, ready to run. `args` are split at blanks. */
void program_load(const uint8_t *file, size_t size, const char *args)
{
	const struct elf *elf = (const struct elf *)file;
	struct thread *thread = thread_new();
	uint64_t phdr = 0;

	if (size < sizeof(*elf) || !starts_with((const char *)elf->ident, "\177ELF\2\1") || elf->machine != MACHINE_ELF ||
	    elf->type != ET_EXEC || elf->phoff > size || elf->phnum * sizeof(struct segment) > size - elf->phoff)
		panic("program: no static " MACHINE_NAME " ELF file with fixed addresses (ET_EXEC)\n");
	for (unsigned i = 0; i < elf->phnum; i++) {
		const struct segment *segment = (const struct segment *)(file + elf->phoff) + i;

		if (segment->type != PT_LOAD)
			continue;
		load(file, size, segment);
		if (elf->phoff >= segment->offset && elf->phoff < segment->offset + segment->filesz)
			phdr = segment->vaddr + elf->phoff - segment->offset;
	}
	thread->regs[PC] = elf->entry;
	thread->regs[SP] = make_stack(elf, phdr, args);
	thread_start(thread);
}
