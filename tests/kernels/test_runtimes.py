# SPDX-License-Identifier: MIT
"""Unmodified programs of each C library and of Go, given an image and a page: they read the clock without system calls.

Every program says how many calls it made that a vDSO can serve, and how many system calls on purpose; QEMU says how many
it saw. Without AT_SYSINFO_EHDR the same program on the same QEMU makes them all: so the count can tell.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from bases import bases
from debian_packages import KERNEL, deb
from kernel_builds import build_vdso, session_folder
from kernels.runtimes import RUNTIMES, Run, Runtime, launch, system_calls

# What an image is made from: a base of our own and, where it is at hand, a Linux with both hash tables; Debian's newest,
# Linux 7, has DT_GNU_HASH alone.
BASES: dict[str, Callable[[], str]] = {
    "minimal": lambda: "minimal",
    "debian": lambda: str(deb(KERNEL)),
    **{path.stem: lambda path=path: str(path) for path in bases("riscv64-linux-6.12.*.so")},
}


@cache
def image(base: str) -> Path:
    """Return the folder with the outputs for a base."""
    return build_vdso(session_folder() / f"runtimes-{base}", f"BASE={BASES[base]()}")


def launched(runtime: Runtime, base: str, log: Path, *options: str) -> Run:
    """Run the program on the image for a base."""
    offset = json.loads((image(base) / "vdso.json").read_text())["data_offset"]
    return launch(runtime, image(base) / "vdso.so", offset, log, *options)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("name", RUNTIMES)
def test_reads_the_clock_without_a_system_call(name: str, base: str, tmp_path: Path) -> None:
    runtime = RUNTIMES[name]
    run = launched(runtime, base, tmp_path / "log")
    assert run.status == 0
    assert run.said["served"] > 500
    assert "clock_gettime" in run.said
    assert system_calls(runtime, run) == ""


@pytest.mark.parametrize("options", [("--auxv=no",), ("--page=zero",)], ids=["no vDSO", "page of zeros"])
@pytest.mark.parametrize("name", RUNTIMES)
def test_the_count_can_tell(name: str, options: tuple[str, ...], tmp_path: Path) -> None:
    """Without a vDSO, and with one whose page nobody has initialised, each call is a system call, and the time is right."""
    runtime = RUNTIMES[name]
    run = launched(runtime, "minimal", tmp_path / "log", *options)
    assert run.status == 0
    made = run.said["served"] * runtime.each + run.said["clock_gettime"]
    assert run.clock_gettime == made if runtime.exact else run.clock_gettime >= made
    assert run.clock_getres == run.said.get("getres_served", 0) + run.said.get("clock_getres", 0)


def test_the_page_is_what_is_read(tmp_path: Path) -> None:
    run = launched(RUNTIMES["glibc 2.36"], "minimal", tmp_path / "log", "--page=none")
    assert run.status == -signal.SIGSEGV
