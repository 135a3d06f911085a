# SPDX-License-Identifier: MIT
"""A fresh copy of this checkout, to be built in and changed: what git would clone if all that it sees were committed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from repository import ROOT


def fresh(folder: Path, *under: str) -> Path:
    """Copy all files of the checkout, or only those below the places `under`, to the new folder `folder`."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *under]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    for name in map(os.fsdecode, filter(None, listed.split(b"\0"))):
        if (ROOT / name).is_file():  # one that was removed is listed until that is committed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def with_scons_at_hand(folder: Path) -> Path:
    """Make such a copy with a sconsw that runs the SCons of the tests: the real one would make an environment of its own."""
    sconsw = folder / "sconsw"
    sconsw.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m SCons -Q -C "{folder}" "$@"\n')
    sconsw.chmod(0o755)
    return folder
