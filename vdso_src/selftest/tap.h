/* SPDX-License-Identifier: MIT */
/* The report, in the Test Anything Protocol, version 13: one line a test, `# ` before everything else. */
#ifndef SELFTEST_TAP_H
#define SELFTEST_TAP_H

/* What a test found. SKIP: this kernel gives no means to try it, or an earlier failure stands before it. */
enum verdict { OK, NOT_OK, SKIP };

#define LIKE_PRINTF __attribute__((format(printf, 1, 2)))

/* The verbs of a format are %s, %ld and %lx, which writes the 0x too. */
void tap_note(const char *format, ...) LIKE_PRINTF;

/* The verdict with its reason, which tap_result shows; a `\n` starts a new line of it. */
enum verdict not_ok(const char *format, ...) LIKE_PRINTF;
enum verdict skip(const char *format, ...) LIKE_PRINTF;

/* More words for the reason that there is. */
void not_ok_also(const char *words);

void tap_plan(long tests);
void tap_result(const char *name, enum verdict verdict);

/* The exit status of the whole. */
int tap_status(void);

/* Ends the program. */
void tap_bail_out(const char *format, ...) LIKE_PRINTF __attribute__((noreturn));

#endif
