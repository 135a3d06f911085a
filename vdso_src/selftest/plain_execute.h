/* SPDX-License-Identifier: MIT */
/* How zeros are run where they are no instruction. Where they are one, machine.h says how. */
#ifndef SELFTEST_PLAIN_EXECUTE_H
#define SELFTEST_PLAIN_EXECUTE_H

#include <stdint.h>

static inline void machine_execute(uint64_t address, volatile uint8_t *unused)
{
	(void)unused;
	((void (*)(void))address)();
}

#endif
