/* SPDX-License-Identifier: MIT */
#ifndef SELFTEST_STRINGS_H
#define SELFTEST_STRINGS_H

/* Are two texts the same? Does one begin with another? */
int same(const char *a, const char *b);
int begins(const char *text, const char *start);

#endif
