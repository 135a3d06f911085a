# SPDX-License-Identifier: MIT
CROSS_COMPILE ?= riscv64-linux-gnu-
CC := $(CROSS_COMPILE)gcc
LINK := $(CC)
# The kernel uses neither floating point nor linker relaxation: those registers, and gp, belong to the program.
CFLAGS += -fno-tree-loop-distribute-patterns -march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany -mno-relax -msmall-data-limit=0
ASFLAGS += -march=rv64gc -mabi=lp64 -mno-relax
LDFLAGS += -no-pie
