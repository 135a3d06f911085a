/* SPDX-License-Identifier: MIT */
/*
 * A C library of what the examples' programs call, for a machine on which the emulator can't run those of Debian.
 *
 * Its clock is read as musl reads it: by the vDSO's function where there is one, or else by the system call. The code that
 * starts a program, makes threads and finds an export is that of vdso-selftest.
 */
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>

#include "image.h"
#include "kernel.h"
#include "start.h"

#define STACK 65536
#define CLONE_FLAGS 0x350f00 /* VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, PARENT_SETTID, CHILD_CLEARTID */
#define FUTEX 98
#define FUTEX_WAIT 0
#define EAGAIN 11

FILE __stdout = {1}, __stderr = {2};
static const struct elf_auxv *auxv;
static int (*vdso_clock)(clockid_t, struct timespec *);

int main(int argc, char **argv);

/* The kernel enters here, by start.S. */
void __attribute__((noreturn)) libc_start(uint64_t *stack)
{
	char **argv = (char **)(stack + 1), **end = argv + stack[0] + 1;

	while (*end)
		end++;
	auxv = (const struct elf_auxv *)(end + 1);
	image.address = getauxval(AT_SYSINFO_EHDR);
	if (image.address && !image_read_header()) {
		image_read_tables();
		vdso_clock = (int (*)(clockid_t, struct timespec *))image_export(VDSO_EXPORT_PREFIX "clock_gettime");
	}
	exit(main((int)stack[0], argv));
}

unsigned long getauxval(unsigned long type)
{
	const struct elf_auxv *entry = auxv;

	while (entry->type != AT_NULL && entry->type != type)
		entry++;
	return entry->type == type ? entry->value : 0;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
	long answer = vdso_clock ? vdso_clock(clock, time) : vdso_syscall2(VDSO_NR_CLOCK_GETTIME, clock, (long)time);

	return answer ? -1 : 0;
}

void exit(int status)
{
	kernel_exit(status);
}

int sched_yield(void)
{
	kernel_yield();
	return 0;
}

int sched_getcpu(void)
{
	unsigned cpu = 0;

	return vdso_syscall3(VDSO_NR_GETCPU, (long)&cpu, 0, 0) ? -1 : (int)cpu;
}

/* ---- Threads: pthread_t is the record of one, which is never given back. */

static void run(void *record)
{
	struct __pthread *thread = record;

	thread->function(thread->argument);
}

int pthread_create(pthread_t *created, const void *attributes, void *(*function)(void *), void *argument)
{
	static struct __pthread threads[16];
	static unsigned used;
	static uint8_t stacks[sizeof(threads) / sizeof(threads[0])][STACK] __attribute__((aligned(16)));

	if (attributes || used == sizeof(threads) / sizeof(threads[0]))
		return EAGAIN;
	struct __pthread *thread = &threads[used];
	*thread = (struct __pthread){.function = function, .argument = argument, .tid = -1};
	*created = thread;
	return machine_thread(CLONE_FLAGS, stacks[used++] + STACK, &thread->tid, 0, &thread->tid, run, thread) > 0 ? 0 : EAGAIN;
}

/* The kernel stores 0 as the tid of a thread that has ended, and wakes one that waits for it. */
int pthread_join(pthread_t thread, void **result)
{
	int tid;

	(void)result;
	while ((tid = __atomic_load_n(&thread->tid, __ATOMIC_ACQUIRE)))
		vdso_syscall5(FUTEX, (long)&thread->tid, FUTEX_WAIT, tid, 0, 0);
	return 0;
}

/* ---- Memory and text. Compilers call memset and memcpy by themselves. */

void *memset(void *to, int byte, size_t size)
{
	for (unsigned char *at = to; size--;)
		*at++ = (unsigned char)byte;
	return to;
}

void *memcpy(void *to, const void *from, size_t size)
{
	const unsigned char *source = from;

	for (unsigned char *at = to; size--;)
		*at++ = *source++;
	return to;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *(const unsigned char *)a - *(const unsigned char *)b;
}

long atol(const char *text)
{
	long value = 0;

	while (*text >= '0' && *text <= '9')
		value = value * 10 + *text++ - '0';
	return value;
}

long long atoll(const char *text)
{
	return atol(text);
}

int atoi(const char *text)
{
	return (int)atol(text);
}

struct line {
	char text[256];
	unsigned length;
};

static void put(struct line *line, char character)
{
	if (line->length < sizeof(line->text))
		line->text[line->length++] = character;
}

static void put_number(struct line *line, unsigned long number, unsigned base)
{
	char digits[20];
	unsigned count = 0;

	do
		digits[count++] = "0123456789abcdef"[number % base];
	while (number /= base);
	while (count)
		put(line, digits[--count]);
}

static unsigned long put_sign(struct line *line, long number)
{
	if (number < 0)
		put(line, '-');
	return number < 0 ? -(unsigned long)number : (unsigned long)number;
}

/* With one digit behind the point. */
static void put_tenths(struct line *line, double number)
{
	unsigned long tenths = put_sign(line, (long)(number * 10 + (number < 0 ? -0.5 : 0.5)));

	put_number(line, tenths / 10, 10);
	put(line, '.');
	put_number(line, tenths % 10, 10);
}

/* Knows %d, %ld, %lld, %s, %#lx and %.1f. A line is written in one piece, and is no longer than `struct line`. */
static int print(int file, const char *format, va_list arguments)
{
	struct line line = {.length = 0};

	for (; *format; format++) {
		if (*format != '%') {
			put(&line, *format);
		} else if (format[1] == 'd') {
			put_number(&line, put_sign(&line, va_arg(arguments, int)), 10);
			format++;
		} else if (format[1] == 'l') {
			put_number(&line, put_sign(&line, va_arg(arguments, long)), 10);
			format += format[2] == 'l' ? 3 : 2;
		} else if (format[1] == 's') {
			for (const char *text = va_arg(arguments, const char *); *text; text++)
				put(&line, *text);
			format++;
		} else if (format[1] == '#') {
			put(&line, '0');
			put(&line, 'x');
			put_number(&line, va_arg(arguments, unsigned long), 16);
			format += 3;
		} else {
			put_tenths(&line, va_arg(arguments, double));
			format += 3;
		}
	}
	kernel_write(file, line.text, line.length);
	return (int)line.length;
}

int printf(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	int written = print(1, format, arguments);
	va_end(arguments);
	return written;
}

int fprintf(FILE *file, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	int written = print(file->number, format, arguments);
	va_end(arguments);
	return written;
}

void perror(const char *what)
{
	fprintf(stderr, "%s failed\n", what);
}
