# SPDX-License-Identifier: MIT
CROSS_COMPILE ?= x86_64-linux-gnu-
CC := $(CROSS_COMPILE)gcc
LINK := $(CC)
# Floating point registers belong to the program. An interrupt of the kernel writes below its stack's pointer.
CFLAGS += -fno-tree-loop-distribute-patterns -mgeneral-regs-only -mno-red-zone -mcmodel=kernel -fcf-protection=none
LDFLAGS += -no-pie
