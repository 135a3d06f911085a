/* SPDX-License-Identifier: MIT */
/* The tests, in the order in which main.c runs them. A test may need something that an earlier one finds out. */
#ifndef SELFTEST_TESTS_H
#define SELFTEST_TESTS_H

#include "tap.h"

enum need { NOTHING, ENTRY, IMAGE, DATA, COUNTER, CALLS, NEEDS };

/* The reason why a need is not met; NULL: it is. */
extern const char *lacking[NEEDS];

/* test_image.c */
enum verdict test_entry(void);
enum verdict test_alignment(void);
enum verdict test_image(void);
enum verdict test_exports(void);
enum verdict test_hash(void);
enum verdict test_gnu_hash(void);
enum verdict test_versions(void);

/* test_access.c. A process can write there itself: */
extern int image_writable, data_writable;
enum verdict test_image_write(void);
enum verdict test_data_read(void);
enum verdict test_data_write(void);
enum verdict test_data_execute(void);
enum verdict test_data_mprotect(void);
enum verdict test_handler(void);

/* test_copyout.c */
enum verdict test_image_copyout(void);
enum verdict test_data_copyout(void);

/* test_data.c */
enum verdict test_data(void);
enum verdict test_base(void);

/* test_counter.c */
uint64_t counter_now(void); /* the one that the clocks read */
enum verdict test_counter(void);
enum verdict test_counter_cost(void);
void note_costs(void);

/* test_clocks.c */
enum verdict test_call(void);
enum verdict test_clock(long clock);
enum verdict test_gettimeofday(void);

/* test_others.c */
enum verdict test_getres(void);
enum verdict test_others(void);

/* test_monotonic.c */
enum verdict test_second(void);
enum verdict test_threads(void);

#endif
