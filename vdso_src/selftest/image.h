/* SPDX-License-Identifier: MIT */
/* The image at AT_SYSINFO_EHDR. Nothing in it is believed: every offset is held against its size. */
#ifndef SELFTEST_IMAGE_H
#define SELFTEST_IMAGE_H

#include <stdint.h>

#include "elf.h"

#define PAGE 4096

struct image {
	uint64_t address; /* AT_SYSINFO_EHDR; 0: there is none */
	uint64_t size;	  /* what PT_LOAD takes, in whole pages; 0: it could not be read */
	uint64_t vaddr;	  /* that stands for `address` in the image */
	uint64_t hash, gnu_hash, symbols, strings, versions, definitions; /* offsets from the address; 0: none */
	uint64_t layout; /* that our mark tells; 0: the image is none of ours */
	int64_t data_offset;
};

/* Where the image expects its data page. */
#define image_data() (image.address + (uint64_t)image.data_offset)

extern struct image image;

/* Why image_read() can't go on; NULL: it got through. */
extern const char *image_trouble;

/* Fills `image` from its address. May fault: for fault_risked(). */
void image_read(uint64_t unused);

/* `bytes` bytes at an offset, NULL where they are not all inside; and the string there, "" where it has no end. */
const void *image_at(uint64_t offset, uint64_t bytes);
const char *image_string(uint64_t offset);

uint64_t image_symbol_count(void);

/* Symbol `index`, NULL if there is none. Is it a function that the image defines? Its name. */
const struct elf_symbol *image_symbol(uint64_t index);
int image_exports(const struct elf_symbol *symbol);
const char *image_name(const struct elf_symbol *symbol);

/* The index of the symbol that a hash table leads to, 0 if to none. */
uint64_t image_by_hash(const char *name);
uint64_t image_by_gnu_hash(const char *name);

/* The version of a symbol, "" if it has none. */
const char *image_version(uint64_t index);

/* The address of an export, 0 if there is none. */
uint64_t image_export(const char *name);

#endif
