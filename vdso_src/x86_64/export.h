/* SPDX-License-Identifier: MIT */
/* The names of exports: Linux, arch/x86/entry/vdso/vdso.lds.S. */
#ifndef VDSO_EXPORT_H
#define VDSO_EXPORT_H

#define VDSO_EXPORT(name) __vdso_##name
#define VDSO_EXPORT_PREFIX "__vdso_"

#endif
