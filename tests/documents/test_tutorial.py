# SPDX-License-Identifier: MIT
"""docs/tutorial.md: its commands, run in order in a copy of this repository, print what it says; its code is the kernels'."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import kernel_builds
import pytest
from repository import ROOT

pytestmark = pytest.mark.xdist_group("qemu")

DOC = (ROOT / "docs" / "tutorial.md").read_text()
KERNELS = {
    "c": ("examples/kernel-c/vdso_kernel.c", "examples/kernel-c/elf.c", "examples/kernel-c/riscv64/cpu.h"),
    "rust": ("examples/kernel-rust/src/vdso_kernel.rs", "examples/kernel-rust/src/riscv64/hart.rs"),
}
NEXT = "-- the next block --"


def blocks(*languages: str) -> list[tuple[str, str]]:
    found = re.findall(r"^```(\w+)\n(.*?)^```$", DOC, re.M | re.S)
    return [(language, text) for language, text in found if language in languages]


def appear(printed: str, lines: list[str]) -> bool:
    """Tell whether these lines were printed, in this order; `…` is any text."""
    rest = iter(printed.splitlines())
    return all(any(re.fullmatch(".*".join(map(re.escape, line.split("…"))), said) for said in rest) for line in lines)


def test_the_commands_print_what_the_tutorial_says(tmp_path: Path) -> None:
    kernel_builds.kernel("rust")  # so that `core`, which all kernels share, is compiled by now
    ignored = shutil.ignore_patterns(".*_cache", "__pycache__", ".git", "build", "target")
    tree = shutil.copytree(ROOT, tmp_path / "scons-vdso", ignore=ignored)
    # `build` of the example kernel in Rust is a file
    shutil.copy(ROOT / "examples" / "kernel-rust" / "build", tree / "examples" / "kernel-rust" / "build")
    script = "\n".join(f"{text}echo '{NEXT}'" for _, text in blocks("sh"))
    command = ["bash", "-euo", "pipefail", "-c", script]
    environment = {name: value for name, value in os.environ.items() if name not in ("VDSO_BASES", "SCONSFLAGS")}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    printed = done.stdout.split(NEXT)
    shown = 0
    index = -1
    for language, text in blocks("sh", "text"):
        if language == "sh":
            index += 1
        else:
            assert appear(printed[index], text.splitlines()), f"{text}\nis not in\n{printed[index]}"
            shown += 1
    assert shown == 5


def test_what_is_not_printed_is_found() -> None:
    assert appear("a\nx 12 y\nb\n", ["a", "x … y", "b"])
    assert not appear("b\na\n", ["a", "b"])
    assert not appear("x 12 z\n", ["x … y"])


@pytest.mark.parametrize("language", KERNELS)
def test_its_code_is_the_kernels(language: str) -> None:
    sources = "".join((ROOT / name).read_text() for name in KERNELS[language])
    pieces = [text for _, text in blocks(language)]
    assert len(pieces) > 6
    for text in pieces:
        assert text.strip("\n") in sources, text
