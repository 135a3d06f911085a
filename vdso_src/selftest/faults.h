/* SPDX-License-Identifier: MIT */
/*
 * Learning that code faults without dying of it: by a signal handler where the kernel has them, else in a child process,
 * else not at all.
 */
#ifndef SELFTEST_FAULTS_H
#define SELFTEST_FAULTS_H

#include <stdint.h>

#define CAME_BACK 0
#define NOT_TRIED -1
#define KILLED 128 /* a child ended, and the kernel doesn't say of what signal */

typedef void job(uint64_t argument);

/* Finds out which way there is, and says so in a note. Before all else here. `allowed`: no fault is made without it. */
void faults_learn(int allowed);

/* Does job(argument) fault? CAME_BACK, NOT_TRIED, KILLED or the signal. What the job does may be done elsewhere. */
int fault_of(job *run, uint64_t argument);

/* Runs job(argument) here: CAME_BACK, or KILLED or the signal that would end it. Where that can't be known it runs
 * unguarded, after a note that says what is at stake. */
int fault_risked(const char *what, job *run, uint64_t argument);

/* Do a page fault and an illegal instruction look different? */
int faults_differ(void);

/* The harmless signal that was sent to a handler: NOT_TRIED (no handler was called), CAME_BACK or what ended it. */
int faults_handler(void);

/* Where that handler was to return to. */
uint64_t faults_handler_return(void);

#endif
