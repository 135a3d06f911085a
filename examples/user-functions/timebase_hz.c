/* SPDX-License-Identifier: MIT */
/* A new export: the frequency of the counter, for programs that read it themselves. 0 where the kernel has not said it. */
#include "vdso_stub.h"
#include "words.h"

uint64_t VDSO_EXPORT(timebase_hz)(void)
{
	return vdso_extra(WORD_TIMEBASE_HZ);
}
