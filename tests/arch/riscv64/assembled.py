# SPDX-License-Identifier: MIT
"""Machine code from the real assembler, for tests that say by hand what it does."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from stub_build import PREFIX

ISA = "rv64gc_zicsr_zifencei_zihintpause"


def assembled(source: str) -> bytes:
    """Return the code of an assembly text that begins at address 0."""
    with tempfile.TemporaryDirectory() as folder:
        made, linked, code = (Path(folder, name) for name in ("made.o", "linked.elf", "code.bin"))
        command = [f"{PREFIX}as", f"-march={ISA}", "-mno-relax", "-o", made, "-"]
        subprocess.run(command, input=source, text=True, check=True)
        subprocess.run([f"{PREFIX}ld", "--no-relax", "-e", "0", "-Ttext=0", "-o", linked, made], check=True)
        subprocess.run([f"{PREFIX}objcopy", "-O", "binary", "-j", ".text", linked, code], check=True)
        return code.read_bytes()


def spaced(instructions: Sequence[str], distance: int) -> bytes:
    """Return the code of all `instructions`, each of them at the next multiple of `distance`."""
    return assembled("".join(f".org {at * distance}\n{text}\n" for at, text in enumerate(instructions)))
