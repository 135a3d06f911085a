/* SPDX-License-Identifier: MIT */
/*
 * The end of each loop that waits for a clock or for another thread. The limit is a number of turns, as no clock is trusted
 * here. Now and then the loop yields: on a kernel without preemption it would else keep all others out for ever.
 */
#ifndef SELFTEST_PATIENCE_H
#define SELFTEST_PATIENCE_H

#include "kernel.h"

#define YIELD_EVERY 256 /* turns */

/* Tells whether turn number `turn` is to be taken; the first is 0. */
static inline int take_turn(long turn, long limit)
{
	if (turn && turn % YIELD_EVERY == 0)
		kernel_yield();
	return turn < limit;
}

#endif
