/* SPDX-License-Identifier: MIT */
/*
 * Tells whether code faults, without dying of it: with a signal handler if the kernel has them, or else in a child process,
 * or else not at all.
 */
#ifndef SELFTEST_FAULTS_H
#define SELFTEST_FAULTS_H

#include <stdint.h>

#define CAME_BACK 0
#define NOT_TRIED -1
#define KILLED 128 /* a child was killed, and the kernel does not say by which signal */

typedef void job(uint64_t argument);

/* Finds out which way the kernel has, and notes it. Call it first. No fault is made unless `allowed`. */
void faults_learn(int allowed);

/* Tells whether job(argument) faults: CAME_BACK, NOT_TRIED, KILLED or the signal. The job may run in another process. */
int fault_of(job *run, uint64_t argument);

/* Runs job(argument) in this process: CAME_BACK, or KILLED or the signal that would end it. If that can't be known before, the
 * job runs unguarded, after a note that says `what` may go wrong. */
int fault_risked(const char *what, job *run, uint64_t argument);

/* Tells whether a page fault and an illegal instruction raise different signals. */
int faults_differ(void);

/* Returns what became of a harmless signal to a handler: NOT_TRIED (no handler was called), CAME_BACK or what ended it. */
int faults_handler(void);

/* Returns the address that this handler was to return to. */
uint64_t faults_handler_return(void);

#endif
