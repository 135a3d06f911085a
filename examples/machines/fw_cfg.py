# SPDX-License-Identifier: MIT
"""Gives a kernel without firmware what it runs, by QEMU's fw_cfg."""

from __future__ import annotations

from pathlib import Path


def guest(kernel: Path, program: Path, line: str) -> list[str]:
    """Return words that put program and command line into fw_cfg, where the kernel finds them."""
    files = (f"name=opt/program,file={_value(str(program))}", f"name=opt/words,string={_value(line)}")
    return ["-kernel", str(kernel), *(word for file in files for word in ("-fw_cfg", file))]


def _value(text: str) -> str:
    """Return a value of an option of QEMU, which a comma would end."""
    return text.replace(",", ",,")
