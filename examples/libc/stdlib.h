/* SPDX-License-Identifier: MIT */
#ifndef _STDLIB_H
#define _STDLIB_H

#include <stddef.h>

int atoi(const char *text);
long atol(const char *text);
long long atoll(const char *text);
void exit(int status) __attribute__((noreturn));

#endif
