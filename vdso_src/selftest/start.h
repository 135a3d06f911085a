/* SPDX-License-Identifier: MIT */
/* What start.S of each architecture has beside the program's entry. */
#ifndef SELFTEST_START_H
#define SELFTEST_START_H

#include <stdint.h>

/* Runs job(argument) and saves the registers that a callee must keep. Returns 0 after the job, 1 if guard_leave() ended it. */
int guard_enter(void (*job)(uint64_t), uint64_t argument);
void guard_leave(void) __attribute__((noreturn));

/* Makes a thread that runs entry(argument) on the stack that ends at `stack`, and exits. Returns what clone answered. */
long machine_thread(unsigned long flags, void *stack, int *parent_id, void *tls, int *child_id,
		    void (*entry)(void *), void *argument);

#endif
