/* SPDX-License-Identifier: MIT */
/* The note by which an image of scons-vdso is known. site_scons/site_tools/vdso/elf/our_note.py has the same. */
#ifndef SELFTEST_MARK_H
#define SELFTEST_MARK_H

#define MARK_TYPE 1 /* NT_VERSION: the name is all there is */
#define MARK_NAME "scons-vdso image " /* layout, offsets of data page and counter, version follow: `2 -4096 0 1.0.0` */
#define MARK_LAYOUT 2

#endif
