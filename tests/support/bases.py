# SPDX-License-Identifier: MIT
"""The bases that the tests run on."""

from __future__ import annotations

import functools
import os
import tempfile
from pathlib import Path

from repository import SOURCES
from vdso.arch import DEFAULT
from vdso.arch.arch import Arch


def minimal(arch: Arch) -> Path:
    """Return the base of BASE=minimal."""
    return SOURCES / arch.name / "minimal" / "base.so"


MINIMAL = minimal(DEFAULT)


def bases(pattern: str = "*.so") -> list[Path]:
    """Return the files below the folder that VDSO_BASES names; without it, bases that are made here, not of a Linux."""
    folder = os.environ.get("VDSO_BASES")
    return sorted((Path(folder).resolve() if folder else Path(made_bases().name)).rglob(pattern))


@functools.cache
def made_bases() -> tempfile.TemporaryDirectory[str]:
    """Make a folder that ends with this process: a base of each kind, named as those of Linux are."""
    from elf_builder import Spec, build

    specs = {
        "riscv64-made": Spec(),
        "riscv64-made-gnu": Spec(hashes=("gnu",)),
        "riscv64-made-cfi": Spec(auxiliary="cf-protection=full"),
        "riscv32-made-compat": Spec(bits=32, soname="linux-compat_vdso.so.1"),
        "aarch64-made": Spec(machine=183),
    }
    folder = tempfile.TemporaryDirectory(prefix="scons-vdso-bases-")
    for name, spec in specs.items():
        (Path(folder.name) / f"{name}.so").write_bytes(build(spec))
    return folder
