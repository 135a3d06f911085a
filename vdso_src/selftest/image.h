/* SPDX-License-Identifier: MIT */
/* The image at AT_SYSINFO_EHDR. Nothing in it is trusted: every offset is compared with the size of the image. */
#ifndef SELFTEST_IMAGE_H
#define SELFTEST_IMAGE_H

#include <stdint.h>

#include "elf.h"

#define PAGE 4096

struct image {
	uint64_t address; /* AT_SYSINFO_EHDR; 0: there is none */
	uint64_t size;	  /* of PT_LOAD, in whole pages; 0: it could not be read */
	uint64_t vaddr;	  /* the address in the image that stands for `address` */
	uint64_t hash, gnu_hash, symbols, strings, versions, definitions; /* offsets from the address; 0: none */
	uint64_t layout; /* from our mark; 0: scons-vdso did not make the image */
	int64_t data_offset;
	int64_t counter_offset;
};

/* The address at which the image expects its data page. */
#define image_data() (image.address + (uint64_t)image.data_offset)

/* The address at which the image expects the counter, if that is a word of a page. */
#define image_counter() (image.address + (uint64_t)image.counter_offset)

extern struct image image;

/* Sets the size and vaddr of `image` from its first page. Returns what is wrong with that, or NULL. */
const char *image_read_header(void);

/* Sets the rest of `image` from all of its pages, which must be readable. */
void image_read_tables(void);

/* Return `bytes` bytes at an offset, NULL where some lie outside; and the string there, "" where it has no end. */
const void *image_at(uint64_t offset, uint64_t bytes);
const char *image_string(uint64_t offset);

uint64_t image_symbol_count(void);

/* Return symbol `index`, NULL if there is none; whether it is a function that the image defines; its name. */
const struct elf_symbol *image_symbol(uint64_t index);
int image_exports(const struct elf_symbol *symbol);
const char *image_name(const struct elf_symbol *symbol);

/* Return the index of the symbol to which a hash table leads, 0 if to none. */
uint64_t image_by_hash(const char *name);
uint64_t image_by_gnu_hash(const char *name);

/* Returns the version of a symbol, "" if it has none. */
const char *image_version(uint64_t index);

/* Returns the address of an export, 0 if there is none. */
uint64_t image_export(const char *name);

#endif
