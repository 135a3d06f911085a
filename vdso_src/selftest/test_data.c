/* SPDX-License-Identifier: MIT */
/* Is there a data page where the image expects one, and what did the kernel do with it? */
#include "image.h"
#include "tests.h"
#include "vdso_data.h"

static int is_zero(const volatile uint64_t *word)
{
	unsigned i;

	for (i = 0; i < PAGE / sizeof(*word); i++)
		if (word[i])
			return 0;
	return 1;
}

/* Tells whether the kernel has told every clock to ask it. There must be a data page. */
int data_is_disabled(void)
{
	return ((const volatile struct vdso_data *)image_data())->disabled != 0;
}

/* Judges by `giga`, which never changes and stands in the rows of clocks alone: no other page is like that. */
enum verdict test_data(void)
{
	const volatile struct vdso_data *page = (const volatile struct vdso_data *)image_data();

	if (is_zero((const volatile uint64_t *)page))
		return not_ok("it is all zero, so every clock asks the kernel: call vdso_data_init() on it, with the\n"
			      "counter's frequency, or map the page that you called it on");
	if (page->row[VDSO_MONOTONIC].giga != VDSO_NSEC_PER_SEC || page->row[VDSO_MONOTONIC + 1].giga)
		return not_ok("it is no data page, or overwritten: map the vdso_data_page that you called\n"
			      "vdso_data_init() on");
	tap_note("vdso_data_init() was told %ld Hz", (long)page->hz);
	if (data_is_disabled())
		tap_note("vdso_data_disable() was called: every clock asks the kernel");
	else if (!(page->served >> VDSO_REALTIME & 1))
		tap_note("vdso_data_set_realtime() was not called: REALTIME and TAI ask the kernel");
	return OK;
}
