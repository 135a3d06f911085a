# SPDX-License-Identifier: MIT
CROSS_COMPILE ?= aarch64-linux-gnu-
CC := $(CROSS_COMPILE)gcc
LINK := $(CC)
# Floating point registers belong to the program, and so does x18. Helpers of the compiler's library are not linked.
CFLAGS += -fno-tree-loop-distribute-patterns -mgeneral-regs-only -mno-outline-atomics -ffixed-x18 -mbranch-protection=none
LDFLAGS += -no-pie
