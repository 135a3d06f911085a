# SPDX-License-Identifier: MIT
"""The code of docs/tsc.md: it compiles as a kernel's does, and what needs no privilege is right on this machine."""

from __future__ import annotations

import platform
import re
import subprocess
from pathlib import Path

import pytest
from repository import ROOT
from scons_build import build

MAIN = r"""
#include <stdio.h>
int main(void)
{
	printf("%d %llu\n", tsc_is_a_clock(), (unsigned long long)tsc_hz_told());
	return 0;
}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("guide")
    build(made, "BASE=minimal", "ARCH=x86_64")
    (code,) = re.findall(r"^```c\n(.*?)^```$", (ROOT / "docs" / "tsc.md").read_text(), re.M | re.S)
    (made / "tsc.c").write_text(f'#include "vdso.h"\n{code}')
    return made


@pytest.mark.parametrize("compiler", ["x86_64-linux-gnu-gcc", "clang-19"])
def test_it_compiles_in_a_kernel(folder: Path, compiler: str) -> None:
    flags = [
        "-ffreestanding",
        "-fno-pie",
        "-mgeneral-regs-only",
        "-mcmodel=kernel",
        "-O2",
        "-Wall",
        "-Wextra",
        "-Wno-comment",
        "-Werror",
    ]
    subprocess.run([compiler, *flags, "-c", "tsc.c", "-o", "tsc.o"], cwd=folder, check=True)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="needs a CPU of x86_64")
def test_what_it_asks_is_what_linux_was_told(folder: Path) -> None:
    (folder / "main.c").write_text((folder / "tsc.c").read_text() + MAIN)
    subprocess.run(["x86_64-linux-gnu-gcc", "-O2", "main.c", "-o", "main"], cwd=folder, check=True)
    shown = subprocess.run([folder / "main"], capture_output=True, text=True, check=True).stdout
    clock, hz = map(int, shown.split())
    flags = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    assert flags
    assert bool(clock) == ("nonstop_tsc" in flags[1].split())
    assert hz == 0 or 5 * 10**8 < hz < 6 * 10**9
