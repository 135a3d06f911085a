/* SPDX-License-Identifier: MIT */
/* The ids of Linux (include/uapi/linux/time.h) for the clocks that a vDSO of ours may serve. */
#ifndef SCONS_VDSO_CLOCK_IDS_H
#define SCONS_VDSO_CLOCK_IDS_H

#define VDSO_REALTIME 0
#define VDSO_MONOTONIC 1
#define VDSO_MONOTONIC_RAW 4
#define VDSO_REALTIME_COARSE 5
#define VDSO_MONOTONIC_COARSE 6
#define VDSO_BOOTTIME 7
#define VDSO_TAI 11

#endif
