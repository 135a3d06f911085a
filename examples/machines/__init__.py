# SPDX-License-Identifier: MIT
"""QEMU's machines that the example kernels run on, a folder an architecture."""

from __future__ import annotations

from pathlib import Path

from .aarch64 import AARCH64
from .loongarch64 import LOONGARCH64
from .machine import GuestError, Machine
from .riscv64 import RISCV64
from .x86_64 import X86_64

MACHINES = {machine.arch: machine for machine in (RISCV64, LOONGARCH64, AARCH64, X86_64)}
"""Architecture to its machine."""

ELF_MACHINE = slice(18, 20)  # e_machine


def machine_of(kernel: Path) -> Machine:
    """Return the machine that an ELF file is for."""
    with kernel.open("rb") as file:
        number = int.from_bytes(file.read(20)[ELF_MACHINE], "little")
    for machine in MACHINES.values():
        if machine.elf == number:
            return machine
    raise GuestError(f"{kernel}: e_machine is {number:#x}, which is none of {', '.join(MACHINES)}; name a kernel.elf of these")
