/* SPDX-License-Identifier: MIT */
/* Is the image where the auxiliary vector says, and do all programs find its exports? */
#include "calls.h"
#include "faults.h"
#include "image.h"
#include "machine.h"
#include "mark.h"
#include "strings.h"
#include "tests.h"

#define MAP_IT "map vdso_image[], unchanged and all of it"

uint64_t at_clock_gettime, at_clock_getres, at_gettimeofday;

enum verdict test_entry(void)
{
	if (!image.address)
		return not_ok("put AT_SYSINFO_EHDR (33) with the address of the image into it, before AT_NULL");
	lacking[ENTRY] = 0;
	return OK;
}

enum verdict test_alignment(void)
{
	if (image.address % PAGE == 0)
		return OK;
	return not_ok("it is %lx: map the image at the start of a page", image.address);
}

static void tell_image(void)
{
	tap_note("image of %lx bytes at %lx", image.size, image.address);
	if (!image.layout)
		tap_note("it is none of scons-vdso");
	else if (image.data_offset)
		tap_note("it is one of scons-vdso, and wants its data page at %lx", image_data());
	else
		tap_note("it is one of scons-vdso, made with DATA_PAGE=none");
}

enum verdict test_image(void)
{
	int fault = fault_risked("the image can't be read, or not all of it", image_read, 0);

	if (fault != CAME_BACK)
		return not_ok("reading there (%lx) faults, signal %ld: map the image, all VDSO_IMAGE_PAGES of it, R-X for the\n"
			      "user, and tell its address",
			      image.address, (long)fault);
	if (image_trouble)
		return not_ok("at %lx there is %s: " MAP_IT, image.address, image_trouble);
	lacking[IMAGE] = lacking[CALLS] = 0;
	tell_image();
	return OK;
}

enum verdict test_exports(void)
{
	at_clock_gettime = image_export(VDSO_EXPORT_PREFIX "clock_gettime");
	at_clock_getres = image_export(VDSO_EXPORT_PREFIX "clock_getres");
	at_gettimeofday = image_export(VDSO_EXPORT_PREFIX "gettimeofday");
	if (at_clock_gettime && at_clock_getres && at_gettimeofday && image_export(VDSO_EXPORT_PREFIX "rt_sigreturn"))
		return OK;
	lacking[CALLS] = "exports are missing";
	return not_ok("clock_gettime, clock_getres, gettimeofday or rt_sigreturn is missing: " MAP_IT);
}

/* Judges whether `find` leads to each export. */
static enum verdict finds_all(uint64_t table, uint64_t (*find)(const char *))
{
	uint64_t i, count = image_symbol_count(), found = 0;

	if (!table && !image.layout)
		return skip("this image has none");
	for (i = 1; i < count; i++) {
		const struct elf_symbol *symbol = image_symbol(i);

		if (!image_exports(symbol))
			continue;
		if (find(image_name(symbol)) != i)
			return not_ok("not to %s: " MAP_IT, image_name(symbol));
		found++;
	}
	return found ? OK : not_ok("there is not one export: " MAP_IT);
}

enum verdict test_hash(void)
{
	return finds_all(image.hash, image_by_hash);
}

enum verdict test_gnu_hash(void)
{
	return finds_all(image.gnu_hash, image_by_gnu_hash);
}

enum verdict test_versions(void)
{
	uint64_t i, count = image_symbol_count();

	for (i = 1; i < count; i++)
		if (image_exports(image_symbol(i)) && !same(image_version(i), MACHINE_VERSION))
			return not_ok("%s has `%s`, not " MACHINE_VERSION ": " MAP_IT, image_name(image_symbol(i)),
				      image_version(i));
	return OK;
}
