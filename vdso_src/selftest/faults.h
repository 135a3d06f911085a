/* SPDX-License-Identifier: MIT */
/*
 * Tells whether code faults, without dying of it: with a signal handler if the kernel has them, or else in a child process,
 * or else not at all.
 */
#ifndef SELFTEST_FAULTS_H
#define SELFTEST_FAULTS_H

#include <stdint.h>

#include "tap.h"

/* How a job ended: CAME_BACK, NOT_TRIED, a signal from 1 to 127, or the end of a child that tells of no signal. */
#define CAME_BACK 0
#define NOT_TRIED -1

/* Return the two parts of a message's "%s %ld": "raises signal 11", "ends its process with wait status 256". */
const char *fault_verb(long fault);
long fault_number(long fault);

typedef void job(uint64_t argument);

/* Finds out which way the kernel has, and notes it. Call it first. No fault is made unless `allowed`. */
void faults_learn(int allowed);

/* Tells how job(argument) ends. The job may run in another process. */
long fault_of(job *run, uint64_t argument);

/* Runs job(argument) in this process: CAME_BACK, or the fault that would end it. If that can't be known before, the job runs
 * unguarded, after a note that says `what` may go wrong (NULL: without a note). */
long fault_risked(const char *what, job *run, uint64_t argument);

/* Tells whether the user wants no faults. */
int faults_forbidden(void);

/* Returns the verdict on a test that NOT_TRIED stands for: a skip, with the answers of the kernel that are the reason. */
enum verdict fault_untried(void);

/* Tells whether a page fault and an illegal instruction raise different signals. */
int faults_differ(void);

/* What became of a handler of a harmless signal. */
struct handler {
	long fault;	      /* NOT_TRIED: it was not called */
	uint64_t returns_to;  /* its return address */
	uint64_t mask, after; /* the blocked signals before the signal, and after the handler's return */
};
extern struct handler handler;

/* Returns the verdict on handlers if none was called: a skip, with the answer of the kernel that is the reason. */
enum verdict handler_untried(void);

#endif
