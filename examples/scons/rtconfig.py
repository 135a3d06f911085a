# SPDX-License-Identifier: MIT
"""The board's toolchain, as in a BSP of RT-Thread."""

import os

CC = os.getenv("RTT_CC_PREFIX", "riscv64-linux-gnu-") + "gcc"
CFLAGS = "-std=gnu11 -O2 -g -Wall -Wextra -Werror -march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany -mno-relax \
    -ffreestanding -fno-pic -fno-stack-protector -fno-tree-loop-distribute-patterns -msmall-data-limit=0"
AFLAGS = "-march=rv64gc -mabi=lp64 -mno-relax -DSTACK_SIZE=16384"
LFLAGS = "-nostdlib -static -no-pie -Wl,--build-id=none,-z,max-page-size=4096"
