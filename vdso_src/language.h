/* SPDX-License-Identifier: MIT */
/*
 * What the other headers take from the language: integers, and a mark of functions whose answer nobody may pass over.
 *
 * A kernel that compiles with -nostdinc, or has integer types of its own, defines VDSO_NO_STDINT before it includes vdso.h.
 * Then int32_t, int64_t, uint8_t, uint32_t and uint64_t must be there.
 */
#ifndef SCONS_VDSO_LANGUAGE_H
#define SCONS_VDSO_LANGUAGE_H

#ifndef VDSO_NO_STDINT
#include <stdint.h>
#endif

#ifndef __SIZEOF_INT128__
#error "vdso.h needs a 64-bit compiler with __int128"
#endif

__extension__ typedef unsigned __int128 vdso_uint128;
__extension__ typedef __int128 vdso_int128;

#define VDSO_MUST_USE __attribute__((warn_unused_result))

#endif
