/* SPDX-License-Identifier: MIT */
/* Finds an export as C libraries and Go do: by one of the hash tables, and by its version. */
#include "image.h"

#include "machine.h"
#include "strings.h"

#define GNU_HASH_HEADER 16

static const uint32_t *word(uint64_t table, uint64_t index)
{
	static const uint32_t outside = 0;
	const uint32_t *found = image_at(table + 4 * index, 4);

	return found ? found : &outside;
}

/* DT_GNU_HASH has no count. Without DT_HASH the strings tell it: every linker puts them behind the symbols. */
uint64_t image_symbol_count(void)
{
	if (image.hash)
		return *word(image.hash, 1);
	return image.strings > image.symbols ? (image.strings - image.symbols) / sizeof(struct elf_symbol) : 0;
}

const struct elf_symbol *image_symbol(uint64_t index)
{
	return image_at(image.symbols + index * sizeof(struct elf_symbol), sizeof(struct elf_symbol));
}

int image_exports(const struct elf_symbol *symbol)
{
	int type;

	if (!symbol || symbol->section == SHN_UNDEF || !(symbol->info >> 4))
		return 0;
	type = symbol->info & 0xf;
	return type == STT_FUNC || type == STT_NOTYPE;
}

const char *image_name(const struct elf_symbol *symbol)
{
	return image_string(image.strings + symbol->name);
}

static int is_called(uint64_t index, const char *name)
{
	const struct elf_symbol *symbol = image_symbol(index);

	return image_exports(symbol) && same(image_name(symbol), name);
}

/* nbucket, nchain, buckets, chains (gABI, "Hash Table") */
uint64_t image_by_hash(const char *name)
{
	uint64_t buckets = *word(image.hash, 0), chains = *word(image.hash, 1), index, steps;
	uint32_t hash = 0;
	const char *c;

	for (c = name; *c; c++) {
		hash = (hash << 4) + (unsigned char)*c;
		hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fffffff;
	}
	if (!image.hash || !buckets)
		return 0;
	index = *word(image.hash, 2 + hash % buckets);
	for (steps = 0; index && steps < chains; steps++) {
		if (is_called(index, name))
			return index;
		index = *word(image.hash, 2 + buckets + index);
	}
	return 0;
}

/* nbucket, first index, words of the filter, shift; filter of 64-bit words, buckets, chains whose last entry is odd */
uint64_t image_by_gnu_hash(const char *name)
{
	uint64_t buckets = *word(image.gnu_hash, 0), first = *word(image.gnu_hash, 1);
	uint64_t filter = *word(image.gnu_hash, 2), shift = *word(image.gnu_hash, 3), table, chain, bits, index;
	uint32_t hash = 5381;
	const char *c;

	for (c = name; *c; c++)
		hash = hash * 33 + (unsigned char)*c;
	if (!image.gnu_hash || !buckets || !filter || filter & (filter - 1))
		return 0;
	table = image.gnu_hash + GNU_HASH_HEADER;
	bits = *word(table, hash / 64 % filter * 2) | (uint64_t)*word(table, hash / 64 % filter * 2 + 1) << 32;
	if (!(bits >> hash % 64 & bits >> (hash >> shift) % 64 & 1))
		return 0;
	table += 8 * filter;
	chain = table + 4 * buckets;
	for (index = *word(table, hash % buckets); index >= first && image_symbol(index); index++) {
		uint32_t entry = *word(chain, index - first);

		if ((entry | 1) == (hash | 1) && is_called(index, name))
			return index;
		if (entry & 1)
			break;
	}
	return 0;
}

const char *image_version(uint64_t index)
{
	const uint16_t *version = image_at(image.versions + 2 * index, 2);
	uint64_t at = image.definitions;
	const struct elf_verdef *definition;
	const uint32_t *name;

	while (image.versions && image.definitions && version && (definition = image_at(at, sizeof(*definition)))) {
		name = image_at(at + definition->aux, 4);
		if (definition->index == (*version & 0x7fff) && name)
			return image_string(image.strings + *name);
		if (!definition->next)
			break;
		at += definition->next;
	}
	return "";
}

uint64_t image_export(const char *name)
{
	uint64_t index = image_by_hash(name);

	if (!index)
		index = image_by_gnu_hash(name);
	return index ? image.address + image_symbol(index)->value - image.vaddr : 0;
}
