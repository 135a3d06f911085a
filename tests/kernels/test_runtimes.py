# SPDX-License-Identifier: MIT
"""Unmodified programs of each C library and of Go, given an image and a page: they read the clock without system calls.

Every program says how many calls it made that a vDSO can serve, and how many system calls on purpose; QEMU says how many
it saw. Without AT_SYSINFO_EHDR the same program on the same QEMU makes them all: so the count can tell.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from bases import bases
from debian_packages import KERNEL, deb
from kernel_builds import build_vdso, session_folder
from kernels.program_builds import CROSS, dynamic, go, launcher, static, sysroot

TOLERANCE_NS = 2_000_000  # the launcher measures the counter's rate, and the system may slew its clock
SECONDS = 300  # a run takes less than one, but for a machine with too much to do

# What an image is made from: a base of our own and, where it is at hand, a Linux with both hash tables; Debian's newest,
# Linux 7, has DT_GNU_HASH alone.
BASES: dict[str, Callable[[], str]] = {
    "minimal": lambda: "minimal",
    "debian": lambda: str(deb(KERNEL)),
    **{path.stem: lambda path=path: str(path) for path in bases("riscv64-linux-6.12.*.so")},
}


@dataclass(frozen=True)
class Runtime:
    """A built program, and the root that its interpreter and libraries are in.

    each            clock_gettime calls of what the program counts as one served
    vdso_getres     does its clock_getres ask the vDSO
    exact           it makes no clock_gettime that it doesn't count
    """

    program: Callable[[], Path]
    root: Callable[[], Path] = lambda: Path("/")
    each: int = 1
    vdso_getres: bool = True
    exact: bool = True


RUNTIMES = {
    "glibc 2.36": Runtime(lambda: dynamic("clocks", "glibc"), lambda: CROSS),
    "glibc of testing": Runtime(lambda: dynamic("clocks", "glibc"), lambda: sysroot("libc6")),
    "musl 1.2.6": Runtime(lambda: dynamic("clocks", "musl"), lambda: sysroot("musl"), vdso_getres=False),
    "glibc 2.36, static": Runtime(lambda: static("clocks", "glibc")),
    "musl 1.2.6, static": Runtime(lambda: static("clocks", "musl"), vdso_getres=False),
    # time.Now reads two clocks, and the runtime reads some for itself
    "Go": Runtime(lambda: go("clocks"), each=2, exact=False),
}


@dataclass(frozen=True)
class Run:
    """What a program printed as `ok NAME=VALUE...`, and the system calls of it that QEMU saw."""

    status: int
    said: dict[str, int]
    clock_gettime: int
    clock_getres: int
    gettimeofday: int


@cache
def image(base: str) -> Path:
    """Return the folder with the outputs for a base."""
    return build_vdso(session_folder() / f"runtimes-{base}", f"BASE={BASES[base]()}")


def launch(runtime: Runtime, base: str, log: Path, *options: str) -> Run:
    offset = json.loads((image(base) / "vdso.json").read_text())["data_offset"]
    command = ["qemu-riscv64", "-strace", "-D", log, "-L", runtime.root(), launcher(), *options, image(base) / "vdso.so"]
    command += [str(offset), runtime.program(), str(TOLERANCE_NS)]
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False)
    last = (done.stdout + done.stderr).rstrip().rpartition("\n")[2]
    assert done.returncode <= 0 or last.startswith("ok"), f"{done}\n{log.read_text()[-2000:]}"
    _, launched, calls = log.read_text(errors="replace").partition("write(-1,")
    assert launched
    counts = [len(re.findall(rf"\b{name}\(", calls)) for name in ("clock_gettime", "clock_getres", "gettimeofday")]
    return Run(done.returncode, {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", last)}, *counts)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("name", RUNTIMES)
def test_reads_the_clock_without_a_system_call(name: str, base: str, tmp_path: Path) -> None:
    runtime = RUNTIMES[name]
    run = launch(runtime, base, tmp_path / "log")
    assert run.status == 0
    assert run.said["served"] > 500
    assert run.clock_gettime == run.said["clock_gettime"]
    assert run.gettimeofday == 0
    if runtime.vdso_getres:
        assert run.clock_getres == run.said.get("clock_getres", 0)


@pytest.mark.parametrize("options", [("--auxv=no",), ("--page=zero",)], ids=["no vDSO", "page of zeros"])
@pytest.mark.parametrize("name", RUNTIMES)
def test_the_count_can_tell(name: str, options: tuple[str, ...], tmp_path: Path) -> None:
    """Without a vDSO, and with one whose page nobody has initialised, each call is a system call, and the time is right."""
    runtime = RUNTIMES[name]
    run = launch(runtime, "minimal", tmp_path / "log", *options)
    assert run.status == 0
    made = run.said["served"] * runtime.each + run.said["clock_gettime"]
    assert run.clock_gettime == made if runtime.exact else run.clock_gettime >= made
    assert run.clock_getres == run.said.get("getres_served", 0) + run.said.get("clock_getres", 0)


def test_the_page_is_what_is_read(tmp_path: Path) -> None:
    run = launch(RUNTIMES["glibc 2.36"], "minimal", tmp_path / "log", "--page=none")
    assert run.status == -signal.SIGSEGV
