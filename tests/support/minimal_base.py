# SPDX-License-Identifier: MIT
"""The base of our own of each architecture, made anew of its sources by the commands that they name, also of changed ones."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from repository import SOURCES
from vdso.arch.arch import Arch

Changes = Mapping[str, tuple[str, str]]


def commands(arch: Arch) -> list[list[str]]:
    """Return the commands that the source says the base is made by."""
    text = (SOURCES / arch.name / "minimal" / "vdso.S").read_text().partition("*/")[0]
    told = re.sub(r"\n \*   ", " ", text)
    return [shlex.split(line) for line in re.findall(r"^ \* (\S*(?:-gcc|clang|ld)\S* -.*)$", told, re.M)]


def relinked(
    arch: Arch, folder: Path, changes: Changes | None = None, options: Sequence[str] = (), strip: bool = True
) -> bytes:
    """Return the base as its sources make it.

    changes     file to a text that stands once in it, and what stands there instead
    options     more options of the linker
    strip       without symbols that only a linker needs, as the commands have it
    """
    work = shutil.copytree(SOURCES, folder / "vdso_src") / arch.name / "minimal"
    (work / "base.so").unlink()
    for name, (old, new) in (changes or {}).items():
        text = (work / name).read_text()
        assert text.count(old) == 1, f"{name}: {old!r} stands there {text.count(old)} times"
        (work / name).write_text(text.replace(old, new))
    for command in commands(arch):
        words = [word for word in command if strip or word not in ("-s", "-Wl,-s")]
        if "-shared" in words:
            driver = any(word.startswith("-Wl,") for word in words)
            words += [f"-Wl,{option}" if driver else option for option in options]
        subprocess.run(words, cwd=work, check=True, capture_output=True)
    return (work / "base.so").read_bytes()
