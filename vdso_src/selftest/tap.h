/* SPDX-License-Identifier: MIT */
/* Prints the report in the Test Anything Protocol, version 13: one line a test, and `# ` before any other line. */
#ifndef SELFTEST_TAP_H
#define SELFTEST_TAP_H

/* The verdict of a test. SKIP: this kernel has no means to try it, or an earlier failure is in the way. */
enum verdict { OK, NOT_OK, SKIP, VERDICTS };

#define LIKE_PRINTF __attribute__((format(printf, 1, 2)))

/* A format may have %s, %ld, and %lx, which writes the 0x too. A `\n` starts a new line of the note. */
void tap_note(const char *format, ...) LIKE_PRINTF;

/* Return the verdict and keep its reason, which tap_result prints; a `\n` starts a new line of the reason. */
enum verdict not_ok(const char *format, ...) LIKE_PRINTF;
enum verdict skip(const char *format, ...) LIKE_PRINTF;

/* Adds words to the reason. */
void not_ok_also(const char *words);

void tap_plan(long tests);
void tap_result(const char *name, enum verdict verdict);

/* Writes the last line: how many tests had which verdict, and the numbers of those that were not OK. Returns the exit status. */
int tap_end(void);

/* Ends the program. */
void tap_bail_out(const char *format, ...) LIKE_PRINTF __attribute__((noreturn));

#endif
