# SPDX-License-Identifier: MIT
"""A vDSO as it lies in memory, whole pages without a section table, is a base as its file is: on every architecture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bases import bases, minimal
from image_builder import Patch
from scons_build import build
from vdso.arch import ARCHES
from vdso.arch.arch import Arch
from vdso.elf.elf64 import PAGE
from vdso.image.reader import read_vdso
from vdso.ranges import align_up
from vdso.verify import verify


def plain(arch: Arch) -> list[Path]:
    """Return the bases of an architecture: our own, and each of Linux that is at hand and has no landing pads."""
    return [minimal(arch), *(path for path in bases(f"{arch.name}-linux-*.so") if "cfi" not in path.name)]


@pytest.mark.parametrize(
    ("arch", "base"),
    [(arch, base) for arch in ARCHES.values() for base in plain(arch)],
    ids=lambda v: v.name if isinstance(v, Arch) else v.stem,
)
def test_an_image_of_what_lies_in_memory(arch: Arch, base: Path, tmp_path: Path) -> None:
    """The same policies and exports as of the file."""
    patch = Patch(read_vdso("base.so", base.read_bytes(), arch).data, arch)
    patch.header(shoff=0, shentsize=0, shnum=0, shstrndx=0)
    dump = tmp_path / "dump"
    dump.write_bytes(patch.image.ljust(align_up(len(patch.image), PAGE), b"\0"))
    told = []
    for name, given in (("of_file", base), ("of_dump", dump)):
        out = build(tmp_path / name, f"ARCH={arch.name}", f"BASE={given}")
        assert verify((out / "vdso.so").read_bytes(), arch).findings == ()
        told.append([(export["name"], export["policy"]) for export in json.loads((out / "vdso.json").read_text())["exports"]])
    assert told[0] == told[1]
