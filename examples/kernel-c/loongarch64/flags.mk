# SPDX-License-Identifier: MIT
CC := clang-19 --target=loongarch64-unknown-none
LINK := clang-19 --target=loongarch64-unknown-linux-gnu -fuse-ld=lld-19
# Floating point and vector registers belong to the program: with such a unit clang uses them by itself.
CFLAGS += -mabi=lp64s -mfpu=none -mcmodel=normal
# The size of the kernel's own pages.
MACHINE_WORDS := PAGE_SIZE=16384
ASFLAGS += -mabi=lp64s -mfpu=64 -mlsx
