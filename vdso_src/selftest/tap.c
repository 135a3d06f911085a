/* SPDX-License-Identifier: MIT */
#include "tap.h"

#include "kernel.h"

typedef __builtin_va_list arguments;

/* A line is written in one call, so that the kernel's own output does not tear it. */
static struct text {
	long length;
	char bytes[1024];
} line, reason;

static long results, failures;

static void put(struct text *text, char c)
{
	if (text->length < (long)sizeof(text->bytes))
		text->bytes[text->length++] = c;
}

static void put_string(struct text *text, const char *string)
{
	while (*string)
		put(text, *string++);
}

static void put_number(struct text *text, unsigned long number, unsigned long base)
{
	char digits[20];
	int count = 0;

	do
		digits[count++] = "0123456789abcdef"[number % base];
	while (number /= base);
	while (count)
		put(text, digits[--count]);
}

static void put_signed(struct text *text, long number)
{
	if (number < 0)
		put(text, '-');
	put_number(text, number < 0 ? -(unsigned long)number : (unsigned long)number, 10);
}

static void put_format(struct text *text, const char *format, arguments given)
{
	for (; *format; format++) {
		if (*format != '%') {
			put(text, *format);
		} else if (*++format == 's') {
			put_string(text, __builtin_va_arg(given, const char *));
		} else if (*++format == 'd') {
			put_signed(text, __builtin_va_arg(given, long));
		} else {
			put_string(text, "0x");
			put_number(text, __builtin_va_arg(given, unsigned long), 16);
		}
	}
}

static void end_line(void)
{
	long written = 0, answer;

	put(&line, '\n');
	while (written < line.length) {
		answer = kernel_write(1, line.bytes + written, line.length - written);
		if (answer <= 0 || answer > line.length - written)
			break;
		written += answer;
	}
	line.length = 0;
}

void tap_note(const char *format, ...)
{
	arguments given;

	put_string(&line, "# ");
	__builtin_va_start(given, format);
	put_format(&line, format, given);
	__builtin_va_end(given);
	end_line();
}

enum verdict not_ok(const char *format, ...)
{
	arguments given;

	reason.length = 0;
	__builtin_va_start(given, format);
	put_format(&reason, format, given);
	__builtin_va_end(given);
	return NOT_OK;
}

enum verdict skip(const char *format, ...)
{
	arguments given;

	reason.length = 0;
	__builtin_va_start(given, format);
	put_format(&reason, format, given);
	__builtin_va_end(given);
	return SKIP;
}

void not_ok_also(const char *words)
{
	put_string(&reason, words);
}

void tap_plan(long tests)
{
	put_string(&line, "TAP version 13");
	end_line();
	put_string(&line, "1..");
	put_signed(&line, tests);
	end_line();
}

/* Appends the reason to the line, and writes it. */
static void show_reason(void)
{
	long i;

	for (i = 0; i < reason.length; i++) {
		if (reason.bytes[i] == '\n') {
			end_line();
			put_string(&line, "#   ");
		} else {
			put(&line, reason.bytes[i]);
		}
	}
	end_line();
}

void tap_result(const char *name, enum verdict verdict)
{
	put_string(&line, verdict == NOT_OK ? "not ok " : "ok ");
	put_signed(&line, ++results);
	put_string(&line, " - ");
	put_string(&line, name);
	if (verdict == SKIP)
		put_string(&line, " # SKIP not tried: ");
	if (verdict == NOT_OK) {
		failures++;
		end_line();
		put_string(&line, "#   ");
	}
	if (verdict == OK)
		reason.length = 0;
	show_reason();
}

int tap_status(void)
{
	return failures != 0;
}

void tap_bail_out(const char *format, ...)
{
	arguments given;

	line.length = 0;
	put_string(&line, "Bail out! ");
	__builtin_va_start(given, format);
	put_format(&line, format, given);
	__builtin_va_end(given);
	end_line();
	kernel_exit(1);
}
