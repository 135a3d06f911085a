# SPDX-License-Identifier: MIT
"""One build at a time in a folder, and no belief in what SCons remembers of a build that did not end well.

SCons writes its memory when it ends. Of a build that was killed it remembers what was there before, and says "up to date"
of outputs that have other settings. So a mark lies in the folder from before the first output until the memory is written.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from pathlib import Path

from .errors import VdsoError

MARK, MEMORY, ASIDE = ".building", ".sconsign.dblite", ".aside"


def enter(out: Path) -> Path:
    """Makes the folder, waits for a build that is in it, forgets one that did not end well, and gives the mark of ours.

    The caller removes the mark when SCons has written what it remembers of a build that went well.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        _lock(out)
        mark = out / MARK
        if mark.exists():
            (out / MEMORY).unlink(missing_ok=True)
            for depth in ("", "*/", "*/*/"):
                for left in out.glob(f"{depth}.*{ASIDE}"):
                    left.unlink()
        mark.touch()
    except OSError as error:
        what = f"can't be written: {error.strerror}"
        raise VdsoError(f"OUT: {out}", what, "name a folder of your own, as in OUT=/tmp/vdso") from None
    return mark


def _lock(out: Path) -> None:
    """Held until this process and the compilers it started are gone, so that none writes into the next build."""
    folder = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    os.set_inheritable(folder, True)
    with contextlib.suppress(OSError):  # a network file system without locks
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"  WAIT    another build is at work in {out}", file=sys.stderr, flush=True)
            fcntl.flock(folder, fcntl.LOCK_EX)
