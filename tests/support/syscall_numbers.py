# SPDX-License-Identifier: MIT
"""Reads the numbers of system calls that the C and the assembly of an architecture are compiled with."""

from __future__ import annotations

import re
import subprocess

from repository import SOURCES


def numbers(arch: str) -> dict[str, int]:
    """Return name, without VDSO_NR_, to number, as the preprocessor reads numbers.h of the architecture `arch`."""
    command = ["cpp", "-P", "-dM", f"-I{SOURCES}", SOURCES / arch / "numbers.h"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = {name: int(value) for name, value in re.findall(r"^#define VDSO_NR_(\w+) (\d+)$", shown, re.M)}
    assert found
    assert len(set(found.values())) == len(found)
    return found
