# SPDX-License-Identifier: MIT
"""Runs unmodified programs of each C library and of Go on an image, under QEMU, and tells which system calls they made."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kernels.program_builds import CROSS, dynamic, go, launcher, static, sysroot

TOLERANCE_NS = 2_000_000  # the launcher measures the counter's rate, and the system may slew its clock
SECONDS = 300  # a run takes less than one, but for a machine with too much to do


@dataclass(frozen=True)
class Runtime:
    """A built program, and the root that its interpreter and libraries are in.

    each            clock_gettime calls of what the program counts as one served
    vdso_getres     does its clock_getres ask the vDSO
    exact           it makes no clock_gettime that it doesn't count
    arguments       of the program
    """

    program: Callable[[], Path]
    root: Callable[[], Path] = lambda: Path("/")
    each: int = 1
    vdso_getres: bool = True
    exact: bool = True
    arguments: tuple[str, ...] = (str(TOLERANCE_NS),)


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
    """What a program printed as `ok NAME=VALUE...`, and the system calls of it that were seen."""

    status: int
    said: dict[str, int]
    clock_gettime: int
    clock_getres: int
    gettimeofday: int
    time: int


def launch(runtime: Runtime, image: Path, data_offset: int, log: Path, *options: str) -> Run:
    """Run the program on an image. `log`: where QEMU writes the system calls."""
    command = ["qemu-riscv64", "-strace", "-D", log, "-L", runtime.root(), launcher(), *options, image]
    command += [str(data_offset), runtime.program(), *runtime.arguments]
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False)
    return said(done, log)


def said(done: subprocess.CompletedProcess[str], log: Path) -> Run:
    """Return what a launched program said, and which system calls it made by what QEMU or strace wrote to `log`."""
    last = (done.stdout + done.stderr).rstrip().rpartition("\n")[2]
    assert done.returncode <= 0 or last.startswith("ok"), f"{done}\n{log.read_text()[-2000:]}"
    _, launched, calls = log.read_text(errors="replace").partition("write(-1,")
    assert launched
    counts = [len(re.findall(rf"\b{name}\(", calls)) for name in ("clock_gettime", "clock_getres", "gettimeofday", "time")]
    return Run(done.returncode, {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", last)}, *counts)


def system_calls(runtime: Runtime, run: Run) -> str:
    """Return which system calls a program made that the image should have spared it, and "" where there are none."""
    meant = {"clock_gettime": run.said.get("clock_gettime", 0), "gettimeofday": 0, "time": 0}
    if runtime.vdso_getres:
        meant["clock_getres"] = run.said.get("clock_getres", 0)
    return ", ".join(
        f"{getattr(run, name)} of {name}, not {count}" for name, count in meant.items() if getattr(run, name) != count
    )
