# SPDX-License-Identifier: MIT
"""QEMU's PC, whose firmware starts the kernel by PVH."""

from __future__ import annotations

from types import MappingProxyType

from ..fw_cfg import guest
from ..machine import Machine, image_sources

# arch/x86/entry/syscalls/syscall_64.tbl of Linux
NUMBERS = MappingProxyType(
    {
        "clock_gettime": 228,
        "clock_getres": 229,
        "gettimeofday": 96,
        "tgkill": 234,
        "rt_sigreturn": 15,
        "getcpu": 309,
        "time": 201,
    }
)

X86_64 = Machine(
    arch="x86_64",
    elf=62,
    qemu=(
        "qemu-system-x86_64", "-M", "pc", "-cpu", "max", "-m", "256M",
        "-nic", "none", "-display", "none", "-serial", "stdio", "-monitor", "none",
    ),
    guest=guest,
    page_size=4096,
    hz=None,
    compile=("x86_64-linux-gnu-gcc", "-O2", "-static", "-pthread"),
    reader=image_sources(),
    numbers=NUMBERS,
)  # fmt: skip
