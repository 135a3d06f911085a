# SPDX-License-Identifier: MIT
"""Runs this checkout's scons, as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from repository import ROOT


def scons(*words: str, cwd: Path = ROOT, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `scons words` on this checkout, with `cwd` as the user's folder."""
    command = [sys.executable, "-m", "SCons", "-Q", "-C", str(ROOT), *words]
    clean = {name: value for name, value in os.environ.items() if name != "SCONSFLAGS"}
    return subprocess.run(command, cwd=cwd, env={**clean, **environ}, capture_output=True, text=True, check=False)


def build(out: Path, *words: str) -> Path:
    """Make all outputs in `out`; a second run must find nothing to do."""
    done = scons("vdso", f"OUT={out}", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    again = scons("vdso", f"OUT={out}", *words)
    assert again.stdout == "scons: `vdso' is up to date.\n", again.stdout + again.stderr
    return out
