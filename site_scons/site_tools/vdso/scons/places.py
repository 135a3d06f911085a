# SPDX-License-Identifier: MIT
"""Refuses paths of the command line that can't be what they are given for, before SCons makes nodes of them.

SCons's own validators (`PathVariable`) take a path as relative to SConstruct and not to where the user stands, make the
folder also for `-n` and `-h`, and say nothing of what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..errors import VdsoError
from ..layout import BUILDING, MEMORY
from ..paths import ROOT
from ..stubs.included import SUFFIXES
from ..suggest import near
from ..variables import BASE_WORDS

A_BASE = "give a file that holds a vDSO, debian[:SUITE] or minimal"
"""What to do about a BASE that is no file."""
_FOLDER = "name a folder of its own, as in OUT=build"
_OURS = {BUILDING, f"{MEMORY}.dblite"}
"""One of these lies in each folder that a build was in."""
_WRAPPERS = "sconsw"
"""Where the wrapper makes its environment, before any build, if it can make none in the cache."""


def refuse_out(given: str, out: Path) -> None:
    """Refuse, with VdsoError, an OUT that is no folder, or is one of the checkout that holds other things.

    given   as the user wrote it; `out` is the same, made absolute
    """
    if not given:
        raise VdsoError("OUT", "empty", _FOLDER)
    for folder in (out, *out.parents):
        if folder.exists() and not folder.is_dir():
            raise VdsoError(f"OUT: {folder}", "a file", _FOLDER)
    real = out.resolve()
    if real.is_relative_to(ROOT) and real.is_dir():
        held = {path.name for path in real.iterdir()}
        if held - {_WRAPPERS} and not held & _OURS:
            what = f"a folder of scons-vdso itself, which holds {min(held)} and was made by no build"
            raise VdsoError(f"OUT: {out}", what, _FOLDER)


def refuse_base(path: Path) -> None:
    """Refuse, with VdsoError, a BASE that is no file; `path` is absolute."""
    if path.is_dir():
        raise VdsoError(str(path), "a folder", A_BASE)
    if not path.exists():
        meant = near(path.name, BASE_WORDS)
        raise VdsoError(str(path), "no such file", f"did you mean BASE={meant}? {A_BASE}" if meant else A_BASE)


def refuse_image(path: Path) -> None:
    """Refuse, with VdsoError, an IMAGE that is no file; `path` is absolute."""
    if path.is_dir() or not path.exists():
        what = "a folder" if path.is_dir() else "no such file"
        raise VdsoError(str(path), what, "name the image, as in `check IMAGE=build/vdso.so`")


def refuse_sources(paths: Iterable[Path]) -> None:
    """Refuse, with VdsoError, files of EXTRA_SRC that are none; `paths` are its words, made absolute."""
    seen = set()
    for path in paths:
        if path.resolve() in seen:
            raise VdsoError(str(path), "stands in EXTRA_SRC twice", "name it once")
        seen.add(path.resolve())
        if not path.exists() and "," not in path.name:
            raise VdsoError(str(path), "no such file for EXTRA_SRC", "name a C file that is there")
        refuse_source(path, path.exists())


def refuse_source(path: Path, is_there: bool) -> None:
    """Refuse, with VdsoError, a source that the compiler would not take as one, there or not yet."""
    if path.is_dir():
        raise VdsoError(str(path), "a folder", "name the C files in it, separated by spaces")
    if "," in path.name and not is_there:
        raise VdsoError(str(path), "no such file for EXTRA_SRC", "separate files by spaces, not by commas")
    if path.suffix not in SUFFIXES:
        what = "neither C (.c) nor assembly (.S), which are what EXTRA_SRC takes"
        raise VdsoError(str(path), what, "rename it, or compile it first")
