/* SPDX-License-Identifier: MIT */
/*
 * An independent look at an image: what address does each C library find for a name, by its own rules?
 *
 *	lookup VERSION < REQUESTS
 *
 * A request is a line `SIZE NAME...`, then SIZE bytes of an image; the answer is a line for each name, a column for each
 * of `lookers` below: an address in hex, `-` for not found, or a word on why the library would have crashed or hung.
 * Nothing of scons-vdso's is in here. The rules are those of glibc (elf/setup-vdso.h, dl-vdso.h, dl-lookup.c,
 * dl-version.c), musl (src/internal/vdso.c, before and after 1.2.6), Go (runtime/vdso_linux.go), rustix
 * (src/backend/linux_raw/vdso.rs), LLVM libc (libc/src/__support/OSUtil/linux/vdso.cpp), bionic (libc/bionic/vdso.cpp) and
 * stress-ng (stress-vdso.c, while it walked PT_DYNAMIC once). VERSION is the one that they ask for on the architecture of
 * the images. They trust an image; this reads all of it through `get`, which knows where the image ends.
 */
#include <elf.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS 100000 /* more than any table of an image of 1 MiB has entries: who goes on longer never ends */
#define LARGEST (1u << 20)
#define ABSENT UINT64_MAX
#define IN(set, x) ((x) < 32 && (1u << (x)) & (set))

static uint8_t *image;
static uint64_t size;
static unsigned steps;
static const char *wanted_version;
static const char *why;
static jmp_buf out;

static void give_up(const char *reason)
{
	why = reason;
	longjmp(out, 1);
}

static void step(void)
{
	if (++steps > STEPS)
		give_up("never-ends");
}

/* `bytes` of the image at `at`, copied, so that nothing is read where it may not be. */
static uint64_t get(uint64_t at, unsigned bytes)
{
	uint64_t value = 0;

	if (at > size || size - at < bytes)
		give_up("reads-outside");
	memcpy(&value, image + at, bytes);
	return value;
}

#define FIELD(type, at, field) get((at) + offsetof(type, field), sizeof(((type *)0)->field))

static int same(uint64_t at, const char *name)
{
	for (;; at++, name++) {
		uint8_t byte = get(at, 1);

		if (byte != (uint8_t)*name)
			return 0;
		if (!byte)
			return 1;
	}
}

static uint32_t sysv_hash(const char *name)
{
	uint32_t h = 0, top;

	for (; *name; name++) {
		h = (h << 4) + (uint8_t)*name;
		top = h & 0xf0000000;
		h = (h ^ top >> 24) & ~top;
	}
	return h;
}

static uint32_t gnu_hash(const char *name)
{
	uint32_t h = 5381;

	for (; *name; name++)
		h = 33 * h + (uint8_t)*name;
	return h;
}

/* What every loader keeps of PT_DYNAMIC; `bias` is what it adds to an address. */
struct object {
	uint64_t bias, dynamic;
	uint64_t strtab, symtab, hash, gnu, versym, verdef, verdefnum, rela, relaent;
};

static void walk_dynamic(struct object *o)
{
	uint64_t at, *slot;
	int64_t tag;

	for (at = o->dynamic; (tag = FIELD(Elf64_Dyn, at, d_tag)); at += sizeof(Elf64_Dyn)) {
		step();
		slot = tag == DT_STRTAB	    ? &o->strtab
		       : tag == DT_SYMTAB   ? &o->symtab
		       : tag == DT_HASH	    ? &o->hash
		       : tag == DT_GNU_HASH ? &o->gnu
		       : tag == DT_VERSYM   ? &o->versym
		       : tag == DT_VERDEF   ? &o->verdef
					    : NULL;
		if (slot)
			*slot = o->bias + FIELD(Elf64_Dyn, at, d_un);
		slot = tag == DT_VERDEFNUM ? &o->verdefnum : tag == DT_RELA ? &o->rela : tag == DT_RELAENT ? &o->relaent : NULL;
		if (slot)
			*slot = FIELD(Elf64_Dyn, at, d_un);
	}
}

static struct object nothing(void)
{
	struct object o;

	memset(&o, 0xff, sizeof(o));
	return o;
}

/* glibc: the first load says where the image lies, PT_DYNAMIC is looked for by its address. */
static struct object glibc_open(void)
{
	struct object o = nothing();
	uint64_t at = FIELD(Elf64_Ehdr, 0, e_phoff), count = FIELD(Elf64_Ehdr, 0, e_phnum), end = 0, i;
	int loads = 0;

	for (i = 0; i < count; i++, at += sizeof(Elf64_Phdr)) {
		uint64_t vaddr = FIELD(Elf64_Phdr, at, p_vaddr);

		switch (FIELD(Elf64_Phdr, at, p_type)) {
		case PT_DYNAMIC:
			o.dynamic = vaddr;
			break;
		case PT_LOAD:
			if (!loads++)
				o.bias = -vaddr;
			if (vaddr + FIELD(Elf64_Phdr, at, p_memsz) > end)
				end = vaddr + FIELD(Elf64_Phdr, at, p_memsz);
			break;
		case PT_TLS:
			give_up("asserts-no-tls");
		}
	}
	if (!loads || o.dynamic == ABSENT)
		give_up("no-dynamic");
	if (o.bias + end > size)
		give_up("maps-outside");
	o.dynamic += o.bias;
	walk_dynamic(&o);
	if (o.strtab == ABSENT || o.symtab == ABSENT)
		give_up("no-symbols");
	if (o.rela != ABSENT && o.relaent != sizeof(Elf64_Rela))
		give_up("asserts-relaent");
	return o;
}

/* What glibc does later with the definitions, once a library that it loads is checked against them. */
static void glibc_versions(const struct object *o)
{
	uint64_t at = o->verdef, next;

	if (at == ABSENT)
		return;
	do {
		step();
		if (FIELD(Elf64_Verdef, at, vd_version) != 1)
			give_up("asserts-version");
		get(o->strtab + FIELD(Elf64_Verdaux, at + FIELD(Elf64_Verdef, at, vd_aux), vda_name), 1);
		next = FIELD(Elf64_Verdef, at, vd_next);
		at += next;
	} while (next);
}

static uint64_t glibc_match(const struct object *o, uint64_t index, const char *name)
{
	uint64_t at = o->symtab + index * sizeof(Elf64_Sym), value = FIELD(Elf64_Sym, at, st_value);
	unsigned info = FIELD(Elf64_Sym, at, st_info);

	/* an undefined entry with a value passes */
	if (!value && FIELD(Elf64_Sym, at, st_shndx) != SHN_ABS)
		return ABSENT;
	if (!IN(1u << STT_NOTYPE | 1u << STT_OBJECT | 1u << STT_FUNC | 1u << STT_COMMON | 1u << STT_GNU_IFUNC, info & 15))
		return ABSENT;
	if (!same(o->strtab + FIELD(Elf64_Sym, at, st_name), name))
		return ABSENT;
	if (!IN(1u << STB_GLOBAL | 1u << STB_WEAK | 1u << STB_GNU_UNIQUE, info >> 4))
		return ABSENT;
	return o->bias + value;
}

static uint64_t glibc_gnu(const struct object *o, const char *name)
{
	uint32_t h = gnu_hash(name), buckets = get(o->gnu, 4), bias = get(o->gnu + 4, 4), words = get(o->gnu + 8, 4);
	uint32_t shift = get(o->gnu + 12, 4), index, word;
	uint64_t bloom = o->gnu + 16, bucket = bloom + 8ull * words, chains = bucket + 4ull * buckets, at, found;

	/* the assertion is on a power of two, which 0 passes: then the index of a word has all bits set */
	if (words & (words - 1))
		give_up("asserts-bloom");
	if (!buckets)
		return ABSENT;
	if (shift > 31)
		give_up("shifts-too-far");
	at = get(bloom + 8ull * (h / 64 & (words - 1)), 8);
	if (!(at >> h % 64 & at >> (h >> shift) % 64 & 1))
		return ABSENT;
	index = get(bucket + 4ull * (h % buckets), 4);
	if (!index)
		return ABSENT;
	for (;; index++) {
		step();
		word = get(chains + 4ull * index - 4ull * bias, 4);
		if (!((word ^ h) >> 1)) {
			found = glibc_match(o, index, name);
			if (found != ABSENT)
				return found;
		}
		if (word & 1)
			return ABSENT;
	}
}

static uint64_t glibc_sysv(const struct object *o, const char *name)
{
	uint32_t buckets = get(o->hash, 4), index;
	uint64_t bucket = o->hash + 8, chains = bucket + 4ull * buckets, found;

	if (!buckets)
		return ABSENT;
	for (index = get(bucket + 4ull * (sysv_hash(name) % buckets), 4); index; index = get(chains + 4ull * index, 4)) {
		step();
		found = glibc_match(o, index, name);
		if (found != ABSENT)
			return found;
	}
	return ABSENT;
}

static uint64_t glibc(const char *name)
{
	struct object o = glibc_open();

	if (o.gnu == ABSENT && o.hash == ABSENT)
		return ABSENT;
	glibc_versions(&o);
	return o.gnu != ABSENT ? glibc_gnu(&o, name) : glibc_sysv(&o, name);
}

/* The same library on an image without DT_GNU_HASH: what it makes of the other table. */
static uint64_t glibc_without_gnu(const char *name)
{
	struct object o = glibc_open();

	return o.hash == ABSENT ? ABSENT : glibc_sysv(&o, name);
}

/* musl: the last load counts, PT_DYNAMIC is looked for by its offset, e_phentsize is believed. */
static struct object musl_open(void)
{
	struct object o = nothing();
	uint64_t at = FIELD(Elf64_Ehdr, 0, e_phoff), count = FIELD(Elf64_Ehdr, 0, e_phnum), i;

	for (i = 0; i < count; i++, at += FIELD(Elf64_Ehdr, 0, e_phentsize)) {
		if (FIELD(Elf64_Phdr, at, p_type) == PT_LOAD)
			o.bias = FIELD(Elf64_Phdr, at, p_offset) - FIELD(Elf64_Phdr, at, p_vaddr);
		else if (FIELD(Elf64_Phdr, at, p_type) == PT_DYNAMIC)
			o.dynamic = FIELD(Elf64_Phdr, at, p_offset);
	}
	if (o.bias == ABSENT || o.dynamic == ABSENT)
		give_up("no-dynamic");
	walk_dynamic(&o);
	if (o.strtab == ABSENT || o.symtab == ABSENT)
		give_up("no-symbols");
	return o;
}

static int musl_version(const struct object *o, unsigned index)
{
	uint64_t at = o->verdef, next;

	for (;; at += next) {
		step();
		if (!(FIELD(Elf64_Verdef, at, vd_flags) & VER_FLG_BASE) &&
		    (FIELD(Elf64_Verdef, at, vd_ndx) & 0x7fff) == (index & 0x7fff))
			break;
		next = FIELD(Elf64_Verdef, at, vd_next);
		if (!next)
			return 0;
	}
	return same(o->strtab + FIELD(Elf64_Verdaux, at + FIELD(Elf64_Verdef, at, vd_aux), vda_name), wanted_version);
}

static uint64_t musl_find(const struct object *o, uint64_t count, const char *name)
{
	uint64_t i, at = o->symtab;

	for (i = 0; i < count; i++, at += sizeof(Elf64_Sym)) {
		unsigned info = FIELD(Elf64_Sym, at, st_info);

		step();
		if (!IN(1u << STT_NOTYPE | 1u << STT_OBJECT | 1u << STT_FUNC | 1u << STT_COMMON, info & 15))
			continue;
		if (!IN(1u << STB_GLOBAL | 1u << STB_WEAK | 1u << STB_GNU_UNIQUE, info >> 4))
			continue;
		if (FIELD(Elf64_Sym, at, st_shndx) == SHN_UNDEF)
			continue;
		if (!same(o->strtab + FIELD(Elf64_Sym, at, st_name), name))
			continue;
		/* without definitions every version will do */
		if (o->versym != ABSENT && o->verdef != ABSENT && !musl_version(o, get(o->versym + 2 * i, 2)))
			continue;
		return o->bias + FIELD(Elf64_Sym, at, st_value);
	}
	return ABSENT;
}

/* Up to 1.2.5 DT_HASH alone says how many symbols there are. */
static uint64_t musl_old(const char *name)
{
	struct object o = musl_open();

	return o.hash == ABSENT ? ABSENT : musl_find(&o, get(o.hash + 4, 4), name);
}

/* From 1.2.6 the end of the last chain of DT_GNU_HASH does too; here it is always asked. */
static uint64_t musl_gnu(const char *name)
{
	struct object o = musl_open();
	uint32_t buckets, bias, words, last = 0, i;
	uint64_t bucket, chain;

	if (o.gnu == ABSENT)
		return ABSENT;
	buckets = get(o.gnu, 4);
	bias = get(o.gnu + 4, 4);
	words = get(o.gnu + 8, 4);
	bucket = o.gnu + 16 + 8ull * words;
	for (i = 0; i < buckets; i++) {
		step();
		if (get(bucket + 4ull * i, 4) > last)
			last = get(bucket + 4ull * i, 4);
	}
	if (last) {
		chain = bucket + 4ull * buckets + 4ull * last - 4ull * bias;
		for (;; chain += 4) {
			step();
			last++;
			if (get(chain, 4) & 1)
				break;
		}
	}
	return musl_find(&o, last, name);
}

/* Go: the first load counts, PT_DYNAMIC is looked for by its offset. */
static struct object go_open(void)
{
	struct object o = nothing();
	uint64_t at = FIELD(Elf64_Ehdr, 0, e_phoff), count = FIELD(Elf64_Ehdr, 0, e_phnum), i;
	int loads = 0;

	for (i = 0; i < count; i++, at += sizeof(Elf64_Phdr)) {
		if (FIELD(Elf64_Phdr, at, p_type) == PT_LOAD && !loads++)
			o.bias = FIELD(Elf64_Phdr, at, p_offset) - FIELD(Elf64_Phdr, at, p_vaddr);
		else if (FIELD(Elf64_Phdr, at, p_type) == PT_DYNAMIC)
			o.dynamic = FIELD(Elf64_Phdr, at, p_offset);
	}
	if (!loads || o.dynamic == ABSENT)
		give_up("no-dynamic");
	walk_dynamic(&o);
	if (o.strtab == ABSENT || o.symtab == ABSENT)
		give_up("no-symbols");
	return o;
}

/* The index of the version that Go wants; -1 when there is none, which then fits no symbol. */
static int go_version(const struct object *o)
{
	uint64_t at = o->verdef, next;

	if (at == ABSENT)
		give_up("reads-address-0");
	for (;; at += next) {
		step();
		if (!(FIELD(Elf64_Verdef, at, vd_flags) & VER_FLG_BASE)) {
			uint64_t aux = at + FIELD(Elf64_Verdef, at, vd_aux);

			if (FIELD(Elf64_Verdef, at, vd_hash) == sysv_hash(wanted_version) &&
			    same(o->strtab + FIELD(Elf64_Verdaux, aux, vda_name), wanted_version))
				return FIELD(Elf64_Verdef, at, vd_ndx) & 0x7fff;
		}
		next = FIELD(Elf64_Verdef, at, vd_next);
		if (!next)
			return -1;
	}
}

static uint64_t go_match(const struct object *o, uint64_t index, int version, const char *name)
{
	uint64_t at = o->symtab + index * sizeof(Elf64_Sym);
	unsigned info = FIELD(Elf64_Sym, at, st_info);

	/* functions of assembly may have no type */
	if (!IN(1u << STT_FUNC | 1u << STT_NOTYPE, info & 15) || !IN(1u << STB_GLOBAL | 1u << STB_WEAK, info >> 4))
		return ABSENT;
	if (FIELD(Elf64_Sym, at, st_shndx) == SHN_UNDEF || !same(o->strtab + FIELD(Elf64_Sym, at, st_name), name))
		return ABSENT;
	if (o->versym != ABSENT && version && (int)(get(o->versym + 2 * index, 2) & 0x7fff) != version)
		return ABSENT;
	return o->bias + FIELD(Elf64_Sym, at, st_value);
}

static uint64_t go_gnu(const char *name)
{
	struct object o = go_open();
	uint32_t h = gnu_hash(name), buckets, bias, words, index, word;
	uint64_t bucket, found;
	int version = go_version(&o);

	if (o.gnu == ABSENT)
		return ABSENT;
	buckets = get(o.gnu, 4);
	bias = get(o.gnu + 4, 4);
	words = get(o.gnu + 8, 4);
	bucket = o.gnu + 16 + 8ull * words;
	if (!buckets)
		give_up("divides-by-zero");
	index = get(bucket + 4ull * (h % buckets), 4);
	if (index < bias)
		return ABSENT;
	for (;; index++) {
		step();
		word = get(bucket + 4ull * buckets + 4ull * (index - bias), 4);
		if ((word | 1) == (h | 1)) {
			found = go_match(&o, index, version, name);
			if (found != ABSENT)
				return found;
		}
		if (word & 1)
			return ABSENT;
	}
}

static uint64_t go_sysv(const char *name)
{
	struct object o = go_open();
	uint32_t buckets, chains, index;
	uint64_t found;
	int version = go_version(&o);

	if (o.hash == ABSENT)
		return ABSENT;
	buckets = get(o.hash, 4);
	chains = get(o.hash + 4, 4);
	if (!buckets)
		give_up("divides-by-zero");
	for (index = get(o.hash + 8 + 4ull * (sysv_hash(name) % buckets), 4); index;
	     index = get(o.hash + 8 + 4ull * buckets + 4ull * index, 4)) {
		step();
		found = go_match(&o, index, version, name);
		if (found != ABSENT)
			return found;
		if (index >= chains)
			give_up("panics-out-of-range");
	}
	return ABSENT;
}

/* rustix: the first load must be readable and executable, PT_DYNAMIC ends by its size, all addresses are checked. */
static struct object rustix_open(uint64_t *end)
{
	struct object o = nothing();
	uint64_t at = FIELD(Elf64_Ehdr, 0, e_phoff), count = FIELD(Elf64_Ehdr, 0, e_phnum), entries = 0, i;
	int loads = 0;

	for (i = 0; i < count; i++, at += sizeof(Elf64_Phdr)) {
		unsigned type = FIELD(Elf64_Phdr, at, p_type), access = FIELD(Elf64_Phdr, at, p_flags);

		if (type == PT_LOAD && !loads++) {
			if ((access & (PF_R | PF_X)) != (PF_R | PF_X))
				give_up("refuses-flags");
			*end = FIELD(Elf64_Phdr, at, p_offset) + FIELD(Elf64_Phdr, at, p_memsz);
			o.bias = FIELD(Elf64_Phdr, at, p_offset) - FIELD(Elf64_Phdr, at, p_vaddr);
		} else if (type == PT_DYNAMIC) {
			o.dynamic = FIELD(Elf64_Phdr, at, p_offset);
			if (o.dynamic < sizeof(Elf64_Ehdr))
				give_up("refuses-dynamic");
			entries = FIELD(Elf64_Phdr, at, p_memsz) / sizeof(Elf64_Dyn);
		} else if (type == PT_INTERP || type == PT_GNU_RELRO) {
			give_up("refuses-segment");
		}
	}
	if (!loads || o.dynamic == ABSENT)
		give_up("no-dynamic");
	for (i = 0; FIELD(Elf64_Dyn, o.dynamic + i * sizeof(Elf64_Dyn), d_tag); i++) {
		if (i == entries)
			give_up("no-end");
		if (FIELD(Elf64_Dyn, o.dynamic + i * sizeof(Elf64_Dyn), d_tag) == DT_SYMENT &&
		    FIELD(Elf64_Dyn, o.dynamic + i * sizeof(Elf64_Dyn), d_un) != sizeof(Elf64_Sym))
			give_up("refuses-syment");
	}
	if (i == entries)
		give_up("no-end");
	walk_dynamic(&o);
	if (o.strtab == ABSENT || o.symtab == ABSENT || (o.hash == ABSENT && o.gnu == ABSENT))
		give_up("no-symbols");
	return o;
}

static int rustix_version(const struct object *o, unsigned index)
{
	uint64_t at = o->verdef, next;

	for (;; at += next) {
		step();
		if (FIELD(Elf64_Verdef, at, vd_version) != VER_DEF_CURRENT)
			return 0;
		if (!(FIELD(Elf64_Verdef, at, vd_flags) & VER_FLG_BASE) &&
		    (FIELD(Elf64_Verdef, at, vd_ndx) & 0x7fff) == (index & 0x7fff))
			break;
		next = FIELD(Elf64_Verdef, at, vd_next);
		if (!next)
			return 0;
	}
	return FIELD(Elf64_Verdef, at, vd_hash) == sysv_hash(wanted_version) &&
	       same(o->strtab + FIELD(Elf64_Verdaux, at + FIELD(Elf64_Verdef, at, vd_aux), vda_name), wanted_version);
}

static int rustix_match(const struct object *o, uint64_t index, const char *name)
{
	uint64_t at = o->symtab + index * sizeof(Elf64_Sym);
	unsigned info = FIELD(Elf64_Sym, at, st_info);

	if (!IN(1u << STT_FUNC | 1u << STT_NOTYPE, info & 15) || !IN(1u << STB_GLOBAL | 1u << STB_WEAK, info >> 4))
		return 0;
	if (!same(o->strtab + FIELD(Elf64_Sym, at, st_name), name))
		return 0;
	return o->verdef == ABSENT || o->versym == ABSENT || rustix_version(o, get(o->versym + 2 * index, 2));
}

static uint64_t rustix_address(const struct object *o, uint64_t index, uint64_t end)
{
	uint64_t found = o->bias + FIELD(Elf64_Sym, o->symtab + index * sizeof(Elf64_Sym), st_value);

	if (found > end)
		give_up("asserts-inside");
	return found;
}

static uint64_t rustix_gnu(const char *name)
{
	uint64_t end = 0, bucket, chain;
	struct object o = rustix_open(&end);
	uint32_t h = gnu_hash(name) | 1, buckets, bias, index, word;

	if (o.gnu == ABSENT)
		return ABSENT;
	buckets = get(o.gnu, 4);
	bias = get(o.gnu + 4, 4);
	bucket = o.gnu + 16 + 8ull * get(o.gnu + 8, 4);
	if (!buckets)
		give_up("panics-division");
	index = get(bucket + 4ull * (gnu_hash(name) % buckets), 4);
	if (!index)
		return ABSENT;
	if (index < bias)
		give_up("panics-subtraction");
	for (chain = bucket + 4ull * buckets + 4ull * (index - bias);; chain += 4, index++) {
		step();
		word = get(chain, 4);
		if ((word | 1) == h && rustix_match(&o, index, name))
			return rustix_address(&o, index, end);
		if (word & 1)
			return ABSENT;
	}
}

static uint64_t rustix_sysv(const char *name)
{
	uint64_t end = 0;
	struct object o = rustix_open(&end);
	uint32_t buckets, index;

	if (o.hash == ABSENT)
		return ABSENT;
	buckets = get(o.hash, 4);
	if (!buckets)
		give_up("panics-division");
	for (index = get(o.hash + 8 + 4ull * (sysv_hash(name) % buckets), 4); index;
	     index = get(o.hash + 8 + 4ull * buckets + 4ull * index, 4)) {
		step();
		if (FIELD(Elf64_Sym, o.symtab + index * sizeof(Elf64_Sym), st_shndx) != SHN_UNDEF &&
		    rustix_match(&o, index, name))
			return rustix_address(&o, index, end);
	}
	return ABSENT;
}

/* How many symbols the section table in memory says that there are; `entry`: believe sh_entsize. */
static uint64_t sections_count(int last_counts, int believe)
{
	uint64_t at = FIELD(Elf64_Ehdr, 0, e_shoff), count = FIELD(Elf64_Ehdr, 0, e_shnum), found = 0, entry, i;

	for (i = 0; i < count; i++, at += sizeof(Elf64_Shdr)) {
		if (FIELD(Elf64_Shdr, at, sh_type) != SHT_DYNSYM)
			continue;
		entry = believe ? FIELD(Elf64_Shdr, at, sh_entsize) : sizeof(Elf64_Sym);
		if (!entry)
			give_up("divides-by-zero");
		found = FIELD(Elf64_Shdr, at, sh_size) / entry;
		if (!last_counts)
			break;
	}
	return found;
}

static const char *llvm_version(const struct object *o, unsigned index)
{
	uint64_t at = o->verdef, next;

	for (;; at += next) {
		step();
		if (!(FIELD(Elf64_Verdef, at, vd_flags) & VER_FLG_BASE) &&
		    (FIELD(Elf64_Verdef, at, vd_ndx) & 0x7fff) == (index & 0x7fff))
			return same(o->strtab + FIELD(Elf64_Verdaux, at + FIELD(Elf64_Verdef, at, vd_aux), vda_name),
				    wanted_version)
				       ? wanted_version
				       : "";
		next = FIELD(Elf64_Verdef, at, vd_next);
		if (!next)
			return "";
	}
}

/* LLVM libc: the section table counts the symbols, the last one of a name is taken, PT_LOAD must come first. */
static uint64_t llvm_libc(const char *name)
{
	struct object o = nothing();
	uint64_t symbols = sections_count(0, 1), found = ABSENT, at = FIELD(Elf64_Ehdr, 0, e_phoff), i;

	if (!symbols)
		return ABSENT;
	for (i = 0; i < FIELD(Elf64_Ehdr, 0, e_phnum) && o.dynamic == ABSENT; i++, at += sizeof(Elf64_Phdr)) {
		if (FIELD(Elf64_Phdr, at, p_type) == PT_DYNAMIC)
			o.dynamic = FIELD(Elf64_Phdr, at, p_offset);
		if (FIELD(Elf64_Phdr, at, p_type) == PT_LOAD)
			o.bias = FIELD(Elf64_Phdr, at, p_offset) - FIELD(Elf64_Phdr, at, p_vaddr);
	}
	if (o.dynamic == ABSENT)
		return ABSENT;
	if (o.bias == ABSENT)
		give_up("takes-minus-1-for-the-load");
	walk_dynamic(&o);
	if (o.strtab == ABSENT || o.symtab == ABSENT)
		return ABSENT;
	for (i = 0; i < symbols; i++) {
		at = o.symtab + i * sizeof(Elf64_Sym);
		step();
		if (same(o.strtab + FIELD(Elf64_Sym, at, st_name), name) &&
		    (o.versym == ABSENT || o.verdef == ABSENT || *llvm_version(&o, get(o.versym + 2 * i, 2))))
			found = o.bias + FIELD(Elf64_Sym, at, st_value);
	}
	return found;
}

/* bionic: as LLVM libc, by name alone. */
static uint64_t bionic(const char *name)
{
	uint64_t symbols = sections_count(1, 0), found = ABSENT, i;
	struct object o;

	if (!symbols)
		return ABSENT;
	o = musl_open();
	for (i = 0; i < symbols; i++) {
		uint64_t at = o.symtab + i * sizeof(Elf64_Sym);

		step();
		if (same(o.strtab + FIELD(Elf64_Sym, at, st_name), name))
			found = o.bias + FIELD(Elf64_Sym, at, st_value);
	}
	return found;
}

/* One walk along PT_DYNAMIC: when DT_SYMTAB comes, DT_HASH and DT_STRTAB must have been there. */
static uint64_t one_pass(const char *name)
{
	struct object o = glibc_open();
	uint64_t at, hash = ABSENT, strtab = ABSENT, found = ABSENT, symbol;
	uint32_t buckets, index, i;

	for (at = o.dynamic; FIELD(Elf64_Dyn, at, d_tag); at += sizeof(Elf64_Dyn)) {
		switch (FIELD(Elf64_Dyn, at, d_tag)) {
		case DT_HASH:
			hash = o.hash;
			break;
		case DT_STRTAB:
			strtab = o.strtab;
			break;
		case DT_SYMTAB:
			if (hash == ABSENT || strtab == ABSENT)
				break;
			buckets = get(hash, 4);
			for (i = 0; i < buckets; i++) {
				for (index = get(hash + 8 + 4ull * i, 4); index;
				     index = get(hash + 8 + 4ull * buckets + 4ull * index, 4)) {
					step();
					symbol = o.symtab + index * sizeof(Elf64_Sym);
					if ((FIELD(Elf64_Sym, symbol, st_info) & 15) == STT_FUNC &&
					    same(strtab + FIELD(Elf64_Sym, symbol, st_name), name))
						found = o.bias + FIELD(Elf64_Sym, symbol, st_value);
				}
			}
		}
	}
	return found;
}

static uint64_t (*const lookers[])(const char *) = {
	glibc, glibc_without_gnu, musl_old, musl_gnu, go_gnu, go_sysv, rustix_gnu, rustix_sysv, llvm_libc, bionic, one_pass,
};

static void look(uint64_t (*looker)(const char *), const char *name)
{
	uint64_t found;

	steps = 0;
	if (setjmp(out)) {
		printf(" %s", why);
		return;
	}
	found = looker(name);
	if (found == ABSENT)
		printf(" -");
	else
		printf(" 0x%llx", (unsigned long long)found);
}

int main(int argc, char **argv)
{
	static char line[1 << 16];

	if (argc != 2)
		return 2;
	wanted_version = argv[1];
	while (fgets(line, sizeof(line), stdin)) {
		char *name;
		char *end;
		unsigned i;

		size = strtoull(line, &end, 10);
		if (size > LARGEST || end == line || !strchr(line, '\n'))
			return 2;
		/* exactly as large as the image, so that a sanitizer sees a read behind it */
		image = malloc(size ? size : 1);
		if (!image || fread(image, 1, size, stdin) != size)
			return 2;
		for (name = strtok(end, " \n"); name; name = strtok(NULL, " \n")) {
			printf("%s", name);
			for (i = 0; i < sizeof(lookers) / sizeof(*lookers); i++)
				look(lookers[i], name);
			putchar('\n');
		}
		putchar('\n');
		fflush(stdout);
		free(image);
	}
	return 0;
}
