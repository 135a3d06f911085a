# SPDX-License-Identifier: MIT
"""The checkout whose tests these are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
SOURCES = ROOT / "vdso_src"
SOURCE_FOLDERS = (SOURCES, SOURCES / "riscv64")
INCLUDES = tuple(f"-I{folder}" for folder in SOURCE_FOLDERS)
IMPORTS = [str(folder) for folder in (ROOT / "site_scons" / "site_tools", ROOT / "examples", TESTS, TESTS / "support")]
"""Where Python finds the library and what tests share, for a process that a test starts."""
