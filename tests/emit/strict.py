# SPDX-License-Identifier: MIT
"""What a compiler is asked to say of vdso.h, and of every function in it: nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

from repository import TESTS

STRICT = (
    "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wsign-conversion", "-Wundef", "-Wshadow", "-Wcast-align", "-ffreestanding",
)  # fmt: skip
C_STANDARDS = {"gnu89": (), "c99": ("-pedantic",), "c11": ("-pedantic",), "c17": ("-pedantic",), "c2x": ("-pedantic",)}


def compile_in(folder: Path, *command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], cwd=folder, capture_output=True, text=True, check=False)


def accepted(folder: Path, *command: object) -> None:
    done = compile_in(folder, *command)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def clean(folder: Path, *command: object) -> None:
    accepted(folder, *command, "-c", "-o", "made.o")
    undefined = compile_in(folder, "nm", "-u", "made.o")
    assert undefined.stdout == "", "memcpy and libgcc are not there"


def every_call(setting: str) -> Path:
    """Return the source that calls all functions of such a header."""
    return TESTS / "support" / ("kernel_without_page.c" if setting.startswith("none") else "kernel.c")
