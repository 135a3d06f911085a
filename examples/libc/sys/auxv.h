/* SPDX-License-Identifier: MIT */
#ifndef _SYS_AUXV_H
#define _SYS_AUXV_H

#define AT_SYSINFO_EHDR 33

unsigned long getauxval(unsigned long type);

#endif
