/* SPDX-License-Identifier: MIT */
/* The 64-bit ELF structures of a shared object (gABI; symbol versions: LSB core). */
#ifndef SELFTEST_ELF_H
#define SELFTEST_ELF_H

#include <stdint.h>

#define AT_NULL 0
#define AT_PAGESZ 6
#define AT_SYSINFO_EHDR 33

#define ELF_MAGIC 0x464c457f
#define ELF_CLASS_64_LSB 0x0102 /* e_ident[4] and [5] */
#define ET_DYN 3

#define PT_LOAD 1
#define PT_DYNAMIC 2
#define PT_NOTE 4

#define DT_NULL 0
#define DT_HASH 4
#define DT_STRTAB 5
#define DT_SYMTAB 6
#define DT_STRSZ 10
#define DT_VERSYM 0x6ffffff0
#define DT_VERDEF 0x6ffffffc
#define DT_GNU_HASH 0x6ffffef5

#define STT_NOTYPE 0 /* what some of Linux's have; C libraries and Go take them */
#define STT_FUNC 2
#define SHN_UNDEF 0

struct elf_auxv {
	uint64_t type;
	uint64_t value;
};

struct elf_header {
	uint32_t magic;
	uint16_t class_and_order;
	uint8_t rest[10];
	uint16_t type;
	uint16_t machine;
	uint32_t version;
	uint64_t entry;
	uint64_t phoff;
	uint64_t shoff;
	uint32_t flags;
	uint16_t ehsize;
	uint16_t phentsize;
	uint16_t phnum;
	uint16_t shentsize;
	uint16_t shnum;
	uint16_t shstrndx;
};

struct elf_segment {
	uint32_t type;
	uint32_t flags;
	uint64_t offset;
	uint64_t vaddr;
	uint64_t paddr;
	uint64_t filesz;
	uint64_t memsz;
	uint64_t align;
};

struct elf_dynamic {
	uint64_t tag;
	uint64_t value;
};

struct elf_symbol {
	uint32_t name;
	uint8_t info;
	uint8_t other;
	uint16_t section;
	uint64_t value;
	uint64_t size;
};

struct elf_note {
	uint32_t name_size;
	uint32_t size;
	uint32_t type;
};

struct elf_verdef {
	uint16_t version;
	uint16_t flags;
	uint16_t index;
	uint16_t count;
	uint32_t hash;
	uint32_t aux;
	uint32_t next;
};

#endif
