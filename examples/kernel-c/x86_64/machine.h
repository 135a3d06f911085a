/* SPDX-License-Identifier: MIT */
/* What the files of this machine have for each other. */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdint.h>

/* apic.c */
void apic_start(void);
uint32_t apic_count(void);
void apic_timer_is(uint64_t hz);

/* tsc.c */
void tsc_measure(void);
void tsc_start(void);

#endif
