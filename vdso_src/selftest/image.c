/* SPDX-License-Identifier: MIT */
#include "image.h"

#include "machine.h"
#include "mark.h"
#include "strings.h"

#define SIZE_LIMIT 0x100000 /* if PT_LOAD has more, the program header is wrong */

struct image image;

const void *image_at(uint64_t offset, uint64_t bytes)
{
	return offset <= image.size && bytes <= image.size - offset ? (const char *)image.address + offset : 0;
}

const char *image_string(uint64_t offset)
{
	const char *string = (const char *)image.address + offset;
	uint64_t end = offset;

	while (end < image.size && ((const char *)image.address)[end])
		end++;
	return end < image.size ? string : "";
}

static const struct elf_segment *segment(const struct elf_header *header, unsigned index)
{
	return image_at(header->phoff + (uint64_t)index * sizeof(struct elf_segment), sizeof(struct elf_segment));
}

/* Sets image.size and image.vaddr from the first PT_LOAD, as every C library does. Returns what is wrong, or NULL. */
static const char *read_load(const struct elf_header *header)
{
	const struct elf_segment *load = 0;
	unsigned i;

	image.size = PAGE; /* the program headers are searched in the first page, which is there */
	for (i = 0; i < header->phnum && !load; i++) {
		load = segment(header, i);
		if (!load || load->type != PT_LOAD)
			load = 0;
	}
	if (!load || load->offset || !load->memsz || load->memsz > SIZE_LIMIT)
		return "no PT_LOAD that starts at the ELF header and is of a sensible size";
	image.vaddr = load->vaddr;
	image.size = (load->memsz + PAGE - 1) & -(uint64_t)PAGE;
	return 0;
}

/* Returns the offset in an entry of PT_DYNAMIC, 0 where there is no such entry. */
static uint64_t dynamic(const struct elf_segment *table, uint64_t tag)
{
	uint64_t at = table->vaddr - image.vaddr;
	const struct elf_dynamic *entry;

	for (; (entry = image_at(at, sizeof(*entry))) && entry->tag != DT_NULL; at += sizeof(*entry))
		if (entry->tag == tag)
			return entry->value - image.vaddr;
	return 0;
}

static void read_dynamic(const struct elf_segment *table)
{
	image.hash = dynamic(table, DT_HASH);
	image.gnu_hash = dynamic(table, DT_GNU_HASH);
	image.symbols = dynamic(table, DT_SYMTAB);
	image.strings = dynamic(table, DT_STRTAB);
	image.versions = dynamic(table, DT_VERSYM);
	image.definitions = dynamic(table, DT_VERDEF);
}

/* Reads a decimal number with its sign, and goes on behind it and one space. */
static int64_t read_number(const char **at)
{
	int64_t value = 0, sign = 1;

	if (**at == '-') {
		sign = -1;
		++*at;
	}
	for (; **at >= '0' && **at <= '9'; ++*at)
		value = 10 * value + **at - '0';
	if (**at == ' ')
		++*at;
	return sign * value;
}

/* Reads the three numbers of our mark, as in `2 -4096 0`. */
static void read_mark(const char *at)
{
	image.layout = (uint64_t)read_number(&at);
	image.data_offset = read_number(&at);
	image.counter_offset = read_number(&at);
}

/* Reads our mark, which is one of several notes. */
static void read_notes(const struct elf_segment *notes)
{
	uint64_t at = notes->vaddr - image.vaddr, end = at + notes->memsz;
	const struct elf_note *note;

	while (at < end && (note = image_at(at, sizeof(*note)))) {
		uint64_t name = at + sizeof(*note), body = name + ((note->name_size + 3ull) & ~3ull);

		if (note->type == MARK_TYPE && begins(image_string(name), MARK_NAME))
			read_mark(image_string(name + sizeof(MARK_NAME) - 1));
		at = body + ((note->size + 3ull) & ~3ull);
	}
}

const char *image_read_header(void)
{
	const struct elf_header *header = (const struct elf_header *)image.address;

	if (header->magic != ELF_MAGIC || header->class_and_order != ELF_CLASS_64_LSB || header->type != ET_DYN ||
	    header->machine != MACHINE_ELF)
		return "no ELF shared object of this machine";
	return read_load(header);
}

void image_read_tables(void)
{
	const struct elf_header *header = (const struct elf_header *)image.address;
	const struct elf_segment *part;
	unsigned i;

	for (i = 0; i < header->phnum && (part = segment(header, i)); i++) {
		if (part->type == PT_DYNAMIC)
			read_dynamic(part);
		else if (part->type == PT_NOTE)
			read_notes(part);
	}
}
