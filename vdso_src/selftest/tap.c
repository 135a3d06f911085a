/* SPDX-License-Identifier: MIT */
#include "tap.h"

#include "kernel.h"

typedef __builtin_va_list arguments;

/* A line is written in one call, so that the kernel's own output does not tear it. */
static struct text {
	long length;
	char bytes[1024];
} line, reason;

/* How many tests had a verdict, and their numbers in words. */
static struct {
	long count;
	struct text numbers;
} of_verdict[VERDICTS];

static long results;

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

/* Appends the text to the line, and writes it; `start` begins each further line. */
static void show(const struct text *text, const char *start)
{
	long i;

	for (i = 0; i < text->length; i++) {
		if (text->bytes[i] == '\n') {
			end_line();
			put_string(&line, start);
		} else {
			put(&line, text->bytes[i]);
		}
	}
	end_line();
}

void tap_note(const char *format, ...)
{
	static struct text note;
	arguments given;

	note.length = 0;
	__builtin_va_start(given, format);
	put_format(&note, format, given);
	__builtin_va_end(given);
	put_string(&line, "# ");
	show(&note, "# ");
}

static void count(enum verdict verdict)
{
	struct text *numbers = &of_verdict[verdict].numbers;

	if (of_verdict[verdict].count++)
		put_string(numbers, ", ");
	put_signed(numbers, ++results);
}

void tap_result(const char *name, enum verdict verdict)
{
	count(verdict);
	put_string(&line, verdict == NOT_OK ? "not ok " : "ok ");
	put_signed(&line, results);
	put_string(&line, " - ");
	put_string(&line, name);
	if (verdict == SKIP)
		put_string(&line, " # SKIP not tried: ");
	if (verdict == NOT_OK) {
		end_line();
		put_string(&line, "#   ");
	}
	if (verdict == OK)
		reason.length = 0;
	show(&reason, "#   ");
}

static void put_count(enum verdict verdict, const char *words)
{
	long i;

	put_signed(&line, of_verdict[verdict].count);
	put_string(&line, words);
	if (verdict == OK || !of_verdict[verdict].count)
		return;
	put_string(&line, " (");
	for (i = 0; i < of_verdict[verdict].numbers.length; i++)
		put(&line, of_verdict[verdict].numbers.bytes[i]);
	put_string(&line, ")");
}

int tap_end(void)
{
	put_string(&line, "# ");
	put_signed(&line, results);
	put_string(&line, " tests: ");
	put_count(OK, " ok, ");
	put_count(NOT_OK, " not ok");
	put_string(&line, ", ");
	put_count(SKIP, " not tried");
	end_line();
	return of_verdict[NOT_OK].count != 0;
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
