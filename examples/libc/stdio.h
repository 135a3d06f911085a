/* SPDX-License-Identifier: MIT */
#ifndef _STDIO_H
#define _STDIO_H

typedef struct {
	int number;
} FILE;

extern FILE __stdout, __stderr;
#define stdout (&__stdout)
#define stderr (&__stderr)

__attribute__((format(printf, 1, 2))) int printf(const char *format, ...);
__attribute__((format(printf, 2, 3))) int fprintf(FILE *file, const char *format, ...);
void perror(const char *what);

#endif
