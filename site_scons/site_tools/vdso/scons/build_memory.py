# SPDX-License-Identifier: MIT
"""Lets one build at a time into a folder, and discards SCons's database after a build that was killed.

SCons writes its database when it ends. If a build is killed, SCons remembers the build before, and says "up to date" of outputs
that have other settings. So the file BUILDING exists from before the first output until the database is written.
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
    """Make the folder, wait for another build in it, and discard the database of one that was killed.

    From then on SCons writes its database only after a build without an error. VdsoError where the folder can't be written.
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
    """Lock the folder until this process and its compilers have ended, so that none of them writes into the next build."""
    folder = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    os.set_inheritable(folder, True)
    with contextlib.suppress(OSError):  # a network file system without locks
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"  WAIT    another build is at work in {out}", file=sys.stderr, flush=True)
            fcntl.flock(folder, fcntl.LOCK_EX)


def _write_after_success(out: Path, building: Path) -> None:
    """Make SCons write its database only after a build without an error, and delete `building` then.

    SCons has no call for this, so its function that writes the database is replaced.
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
                memory._needs_sync = False  # otherwise SCons would try again at exit, with a traceback

    SCons.SConsign.write = write_and_unmark
