/* SPDX-License-Identifier: MIT */
/* Is there a data page where the image expects one, and what did the kernel do with it? */
#include "counter.h"
#include "data_page.h"
#include "kernel.h"
#include "tests.h"

#define SKEW_SHARE 100 /* the counters of two CPUs differ by less than a second divided by this */

static int is_zero(const volatile uint64_t *word)
{
	unsigned i;

	for (i = 0; i < PAGE / sizeof(*word); i++)
		if (word[i])
			return 0;
	return 1;
}

enum verdict test_data(void)
{
	const volatile struct vdso_data *page = data_page();

	if (is_zero((const volatile uint64_t *)page))
		return not_ok("all %ld bytes at %lx are zero, so every clock asks the kernel: call vdso_data_init() on it, with\n"
			      "the counter's frequency, or map the page that you called it on",
			      (long)PAGE, image_data());
	if (!is_data_page(image_data()))
		return not_ok("what lies at %lx is no data page, or overwritten (a constant is %lx and not %lx, or %lx and not 0): map\n"
			      "the vdso_data_page that you called vdso_data_init() on",
			      image_data(), page->row[VDSO_MONOTONIC].giga, (uint64_t)VDSO_NSEC_PER_SEC,
			      page->row[VDSO_MONOTONIC + 1].giga);
	tap_note("vdso_data_init() was told %ld Hz", (long)page->hz);
	if (data_is_disabled())
		tap_note("vdso_data_disable() was called: every clock asks the kernel");
	return OK;
}

/* Judges whether the counter is beyond the base of every clock, as the kernel once took the base from the counter. */
enum verdict test_base(void)
{
	const volatile struct vdso_data *page = data_page();
	long clock;

	if (lacking[COUNTER])
		return skip("%s", lacking[COUNTER]);
	if (!is_data_page(image_data()))
		return skip("what lies there is no data page");
	for (clock = 0; clock < VDSO_ROWS; clock++) {
		uint64_t base = page->line[clock].counter, counter = counter_now();

		if (is_served(clock) && base > counter && base - counter > page->hz / SKEW_SHARE)
			return not_ok("clock %ld starts when the counter is %ld, but that is only at %ld, and until then the clock stands\n"
				      "still: the counter started anew, or the kernel reads another one than user mode. Call\n"
				      "vdso_data_suspend() before the counter starts anew, and vdso_data_resume() after that",
				      clock, (long)base, (long)counter);
	}
	return OK;
}
