# SPDX-License-Identifier: MIT
"""Lets one build at a time into a folder, and discards SCons's database after a build that was killed.

SCons writes its database when it ends. Of a build that was killed it remembers what was there before, and says "up to date"
of outputs that have other settings. So a file lies in the folder from before the first output until the database is written.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from pathlib import Path

import SCons.SConsign
import SCons.Script.Main

from ..errors import VdsoError
from ..layout import BUILDING, MEMORY
from .files import ASIDE


def enter(out: Path) -> None:
    """Make the folder, wait for a build that is in it, and forget one that did not end well. VdsoError where that can't be.

    From then on the database is written only after a build that went well.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        _lock(out)
        building = out / BUILDING
        if building.exists():
            (out / f"{MEMORY}.dblite").unlink(missing_ok=True)
            for depth in ("", "*/", "*/*/"):
                for left in out.glob(f"{depth}.*{ASIDE}"):
                    left.unlink()
        building.touch()
    except OSError as error:
        what = f"can't be written: {error.strerror}"
        raise VdsoError(f"OUT: {out}", what, "name a folder of your own, as in OUT=/tmp/vdso") from None
    _write_after_success(out, building)


def _lock(out: Path) -> None:
    """Hold the folder until this process and the compilers it started are gone, so that none writes into the next build."""
    folder = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    os.set_inheritable(folder, True)
    with contextlib.suppress(OSError):  # a network file system without locks
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"  WAIT    another build is at work in {out}", file=sys.stderr, flush=True)
            fcntl.flock(folder, fcntl.LOCK_EX)


def _write_after_success(out: Path, building: Path) -> None:
    """Have SCons write its database only after a build that went well, and take `building` away then.

    SCons has no call for this: the function that it writes by is replaced.
    """
    write = SCons.SConsign.write

    def write_and_unmark() -> None:
        if SCons.Script.Main.this_build_status:
            return
        try:
            write()
            building.unlink(missing_ok=True)
        except OSError as error:
            print(f"scons: *** OUT: {out}: .sconsign can't be written: {error.strerror}", file=sys.stderr)
            SCons.Script.Main.exit_status = 2
            for memory in SCons.SConsign.DB_sync_list:
                memory._needs_sync = False  # it would try again at exit, with a traceback

    SCons.SConsign.write = write_and_unmark
