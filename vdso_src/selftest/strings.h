/* SPDX-License-Identifier: MIT */
#ifndef SELFTEST_STRINGS_H
#define SELFTEST_STRINGS_H

static inline int same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

#endif
