# SPDX-License-Identifier: MIT
"""The vDSOs of Linux that ours are measured beside."""

from __future__ import annotations

from pathlib import Path

from bases import bases
from debian_packages import kernel_vdso

LINUX = [path for path in bases("riscv64-linux-*.so") if "cfi" not in path.name]
COMPARED = "riscv64-linux-7.2.13"
"""The one that the bars are for."""


def linux_vdsos(folder: Path) -> list[Path]:
    """Return the vDSOs of VDSO_BASES, or else that of Debian's kernel, a file in `folder`."""
    if LINUX:
        return LINUX
    path = folder / "riscv64-linux-debian.so"
    path.write_bytes(kernel_vdso())
    return [path]


def compared(folder: Path) -> Path:
    """Return the vDSO that the bars are for, or Debian's, which is of the same series."""
    found = linux_vdsos(folder)
    return next((path for path in found if path.stem == COMPARED), found[-1])
