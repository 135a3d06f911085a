# SPDX-License-Identifier: MIT
"""Compiles ../lookup.c and asks it: which address does each C library find for a name?"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from vdso.arch.arch import Arch

SOURCE = Path(__file__).with_name("lookup.c")
LOOKERS = (
    "glibc", "glibc, DT_HASH", "musl, DT_HASH", "musl, DT_GNU_HASH", "Go, DT_GNU_HASH", "Go, DT_HASH", "rustix, DT_GNU_HASH",
    "rustix, DT_HASH", "LLVM libc", "bionic", "one walk of PT_DYNAMIC",
)  # fmt: skip
ONE_WALK = LOOKERS[-1]
FLAGS = ("-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


class Looker:
    """One process for many questions. Its death (a sanitizer's) is an EOFError.

    arch    the version of its exports is what libraries ask for
    """

    def __init__(self, folder: Path, arch: Arch) -> None:
        program = folder / "lookup"
        if not program.exists():
            subprocess.run(["gcc", *FLAGS, SOURCE, "-o", program], check=True)
        self._process = subprocess.Popen([program, arch.version], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, image: bytes, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return for each name what each of LOOKERS found: an address in hex, "-", or why it crashes."""
        write, read = self._pipes()
        with contextlib.suppress(BrokenPipeError):  # said below
            write.write(f"{len(image)} {' '.join(names)}\n".encode() + image)
            write.flush()
        answers = {}
        while True:
            line = read.readline().decode()
            if not line:
                raise EOFError(f"lookup ended with status {self._process.wait()}")
            if line == "\n":
                return answers
            name, *found = line.split()
            answers[name] = tuple(found)

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        assert self._process.stdin
        assert self._process.stdout
        return self._process.stdin, self._process.stdout

    def close(self) -> None:
        for pipe in self._pipes():
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        self._process.wait()
