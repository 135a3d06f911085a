/* SPDX-License-Identifier: MIT */
/* Is the image where the auxiliary vector says, and do all programs find its exports? */
#include "calls.h"
#include "data_page.h"
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

static void load(uint64_t address)
{
	(void)*(volatile const char *)address;
}

/* Tells how a read of page `page` of the image ends. */
static long page_fault(uint64_t page)
{
	return fault_risked("the image can't be read, or not all of it", load, image.address + page * PAGE);
}

static enum verdict no_page(uint64_t page, long fault)
{
	return not_ok("reading at %lx, page %ld of the image's %ld, %s %ld: map the image, all VDSO_IMAGE_PAGES of it, R-X for\n"
		      "the user, and tell the address of its first page",
		      image.address + page * PAGE, (long)page, (long)(image.size / PAGE), fault_verb(fault),
		      fault_number(fault));
}

static enum verdict first_page(void)
{
	const char *trouble;
	long fault;

	image.size = PAGE;
	fault = page_fault(0);
	if (fault != CAME_BACK)
		return no_page(0, fault);
	trouble = image_read_header();
	if (trouble)
		return not_ok("at %lx, where the first word is %lx, there is %s: " MAP_IT, image.address,
			      (uint64_t)*(const uint32_t *)image.address, trouble);
	return OK;
}

/* Judges whether they can be read and none is the data page, which kernels that count on one page of image map there. */
static enum verdict other_pages(void)
{
	uint64_t page, count = image.size / PAGE;

	for (page = 1; page < count; page++) {
		long fault = page_fault(page);

		if (fault != CAME_BACK)
			return no_page(page, fault);
		if (is_data_page(image.address + page * PAGE))
			return not_ok("page %ld of the image's %ld, at %lx, is a data page: map all VDSO_IMAGE_PAGES of the image, and\n"
				      "the data page VDSO_DATA_OFFSET from where the image is",
				      (long)page, (long)count, image.address + page * PAGE);
	}
	return OK;
}

enum verdict test_image(void)
{
	if (first_page() != OK || other_pages() != OK)
		return NOT_OK;
	image_read_tables();
	lacking[IMAGE] = lacking[CALLS] = 0;
	tell_image();
	return OK;
}

enum verdict test_exports(void)
{
	uint64_t at_rt_sigreturn = image_export(VDSO_EXPORT_PREFIX "rt_sigreturn");

	at_clock_gettime = image_export(VDSO_EXPORT_PREFIX "clock_gettime");
	at_clock_getres = image_export(VDSO_EXPORT_PREFIX "clock_getres");
	at_gettimeofday = image_export(VDSO_EXPORT_PREFIX "gettimeofday");
	if (at_clock_gettime && at_clock_getres && at_gettimeofday && (at_rt_sigreturn || MACHINE_RESTORER))
		return OK;
	lacking[CALLS] = "exports are missing";
	if (MACHINE_RESTORER)
		return not_ok("clock_gettime is at %lx, clock_getres at %lx, gettimeofday at %lx, 0 is missing:\n" MAP_IT,
			      at_clock_gettime, at_clock_getres, at_gettimeofday);
	return not_ok("clock_gettime is at %lx, clock_getres at %lx, gettimeofday at %lx, rt_sigreturn at %lx, 0 is missing:\n" MAP_IT,
		      at_clock_gettime, at_clock_getres, at_gettimeofday, at_rt_sigreturn);
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
			return not_ok("to symbol %ld and not to %ld, %s: " MAP_IT, (long)find(image_name(symbol)), (long)i,
				      image_name(symbol));
		found++;
	}
	return found ? OK : not_ok("of %ld symbols none is an export: " MAP_IT, (long)count);
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
	uint64_t i, count = image_symbol_count(), found = 0;

	for (i = 1; i < count; i++) {
		if (!image_exports(image_symbol(i)))
			continue;
		if (!same(image_version(i), MACHINE_VERSION))
			return not_ok("%s, symbol %ld, has `%s`, not " MACHINE_VERSION ": " MAP_IT, image_name(image_symbol(i)),
				      (long)i, image_version(i));
		found++;
	}
	return found ? OK : not_ok("of %ld symbols none is an export: " MAP_IT, (long)count);
}
