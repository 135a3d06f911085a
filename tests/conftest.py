# SPDX-License-Identifier: MIT
"""Puts the library on the path and names the bases that the tests run on."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "site_scons" / "site_tools"), str(ROOT / "examples"), str(ROOT / "tests")]


def bases(pattern: str = "*.so") -> list[Path]:
    """The files of the folder that VDSO_BASES names; none without it."""
    folder = os.environ.get("VDSO_BASES")
    return sorted(Path(folder).resolve().glob(pattern)) if folder else []
