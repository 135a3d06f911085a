# SPDX-License-Identifier: MIT
"""Which faults are tried: a seed chooses lines of code, and one of the faults of each."""

from __future__ import annotations

import fnmatch
import random
from collections.abc import Iterator
from pathlib import Path

from .c_faults import c_faults
from .mutant import Mutant
from .python_faults import python_faults

LIBRARY, C, RUST = "library", "C", "Rust"
AREAS = {
    LIBRARY: ("site_scons/site_tools/vdso/*.py", "sconsw"),
    C: ("vdso_src/*.c", "vdso_src/*.h"),
    RUST: ("templates/*.rs.j2",),
}
"""Patterns of files; a `*` goes over folders too."""
LEFT_OUT = ("vdso_src/selftest/*", "vdso_src/*/selftest/*", "vdso_src/*/minimal/*", "templates/vdso.rs.j2")
"""A program that tests a kernel, a base of our own, and a text without code."""


def files(root: Path, area: str, only: str = "*") -> list[str]:
    """Return the files of an area that match `only`, relative to the checkout."""
    paths = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and ".git" not in path.parts)
    wanted = [path for path in paths if any(fnmatch.fnmatch(path, pattern) for pattern in AREAS[area])]
    return [p for p in wanted if fnmatch.fnmatch(p, only) and not any(fnmatch.fnmatch(p, out) for out in LEFT_OUT)]


def faults(path: str, text: str) -> list[Mutant]:
    """Return all faults of a file."""
    return c_faults(path, text) if path.endswith((".c", ".h", ".rs.j2")) else python_faults(path, text)


def draw(root: Path, area: str, seed: int, only: str = "*") -> Iterator[Mutant]:
    """Yield faults of an area in the order of a seed, one a line."""
    lines: dict[tuple[str, int], list[Mutant]] = {}
    for path in files(root, area, only):
        for fault in faults(path, (root / path).read_text()):
            lines.setdefault((path, fault.line), []).append(fault)
    chance = random.Random(f"{seed} {area}")
    for place in chance.sample(sorted(lines), len(lines)):
        yield chance.choice(lines[place])
