/* SPDX-License-Identifier: MIT */
/* The console, and the few functions of a C library that a kernel needs. */
#include "kernel.h"

static struct lock console_lock;
static char last = '\n';

static void put(char character)
{
	console_put(character);
	last = character;
}

/* Writes in one piece, so that the output of two CPUs is not mixed. */
void console_write(const char *text, size_t size)
{
	lock(&console_lock);
	while (size--)
		put(*text++);
	unlock(&console_lock);
}

static void put_number(uint64_t number, unsigned base)
{
	char digits[20];
	unsigned count = 0;

	do
		digits[count++] = "0123456789abcdef"[number % base];
	while (number /= base);
	while (count)
		put(digits[--count]);
}

/* Prints %s, %d (int), %lu and %lx. A line of the kernel starts on a line of its own. */
static void vprint(const char *format, va_list args)
{
	lock(&console_lock);
	if (last != '\n')
		put('\n');
	for (; *format; format++) {
		if (*format != '%') {
			put(*format);
			continue;
		}
		if (*++format == 's') {
			for (const char *text = va_arg(args, const char *); *text; text++)
				put(*text);
		} else if (*format == 'd') {
			put_number((unsigned)va_arg(args, int), 10);
		} else {
			put_number(va_arg(args, uint64_t), *++format == 'x' ? 16 : 10);
		}
	}
	unlock(&console_lock);
}

void print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprint(format, args);
	va_end(args);
}

/* Ends the machine without the lines about the program's end, so that the one who booted it sees a failure. */
void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprint(format, args);
	va_end(args);
	power_off();
}

void *memset(void *to, int byte, size_t size)
{
	for (uint8_t *at = to; size--;)
		*at++ = (uint8_t)byte;
	return to;
}

void *memcpy(void *to, const void *from, size_t size)
{
	const uint8_t *source = from;

	for (uint8_t *at = to; size--;)
		*at++ = *source++;
	return to;
}

size_t strlen(const char *text)
{
	size_t size = 0;

	while (text[size])
		size++;
	return size;
}

int starts_with(const char *text, const char *start)
{
	while (*start)
		if (*text++ != *start++)
			return 0;
	return 1;
}
