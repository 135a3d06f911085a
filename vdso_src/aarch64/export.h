/* SPDX-License-Identifier: MIT */
/* The names of exports: Linux, arch/arm64/kernel/vdso/vdso.lds.S. */
#ifndef VDSO_EXPORT_H
#define VDSO_EXPORT_H

#define VDSO_EXPORT(name) __kernel_##name
#define VDSO_EXPORT_PREFIX "__kernel_"

#endif
