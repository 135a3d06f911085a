# SPDX-License-Identifier: MIT
"""QEMU's `virt` with OpenSBI, which comes with QEMU."""

from __future__ import annotations

from pathlib import Path

from ..machine import Machine, image_sources
from .counter_page import open_counter_page


def _guest(kernel: Path, program: Path, line: str) -> list[str]:
    return ["-kernel", str(kernel), "-initrd", str(program), "-append", line]


RISCV64 = Machine(
    arch="riscv64",
    elf=243,
    qemu=("qemu-system-riscv64", "-M", "virt", "-m", "256M", "-nographic"),
    guest=_guest,
    page_size=4096,
    hz=10_000_000,
    compile=("riscv64-linux-gnu-gcc", "-O2", "-static", "-pthread"),
    reader=image_sources(),
    counter_page=open_counter_page,
)
