/* SPDX-License-Identifier: MIT */
/* The note by which an image of scons-vdso is known. site_scons/site_tools/vdso/elf/our_note.py has the same numbers. */
#ifndef SELFTEST_MARK_H
#define SELFTEST_MARK_H

#include <stdint.h>

#define MARK_OWNER "scons-vdso"
#define MARK_TYPE 0x7664736f
#define MARK_LAYOUT 2

struct mark {
	int64_t data_offset; /* from the image's first byte; 0: no data page */
	uint64_t layout;
	int64_t counter_offset; /* of the counter, a word of a page; 0: an instruction reads it */
} __attribute__((packed, aligned(4))); /* as notes are */

#endif
