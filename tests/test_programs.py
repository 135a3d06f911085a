# SPDX-License-Identifier: MIT
"""Programs of glibc and musl on both example kernels: right time, no system call, and signals that return through the image.

The kernels count system calls; the programs say how many they made on purpose.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from kernel_builds import KERNELS, kernel, minimal
from program_builds import static
from qemu import Run, boot

pytestmark = pytest.mark.xdist_group("qemu")

RT_SIGRETURN = 139  # numbers of system calls, Linux: asm-generic/unistd.h
CLOCK_GETTIME, CLOCK_GETRES, GETTIMEOFDAY = 113, 114, 169

kernels = pytest.mark.parametrize("name", KERNELS)
libcs = pytest.mark.parametrize("libc", ["glibc", "musl"])


def run(tmp_path: Path, name: str, program: str, libc: str, *args: str, vdso: str = "on") -> tuple[Run, dict[str, int]]:
    """One boot with two harts, and what the program said in its last line: ok NAME=VALUE..."""
    words = [f"vdso={vdso}"]
    done = boot(kernel(name), static(program, libc), words, args, harts=2, log=tmp_path / "guest.txt")
    lines = [line for line in done.text.splitlines() if line.startswith("ok ")]
    assert done.exit == 0, done.text
    assert len(lines) == 1, done.text
    return done, {name: int(value, 0) for name, value in re.findall(r"(\w+)=(\w+)", lines[0])}


@kernels
@libcs
def test_the_clock_is_read_without_system_calls(name: str, libc: str, tmp_path: Path) -> None:
    """Between two system calls around it, to the nanosecond; and 99, -1 and INT_MIN are refused, by the kernel."""
    done, said = run(tmp_path, name, "clocks", libc, "0")
    assert said["served"] > 500
    assert done.syscalls(CLOCK_GETTIME) == said["clock_gettime"]
    # musl's clock_getres never looks at a vDSO
    asked = said["clock_getres"] + (said["getres_served"] if libc == "musl" else 0)
    assert done.syscalls(CLOCK_GETRES) == asked
    assert done.syscalls(GETTIMEOFDAY) == 0


@kernels
@libcs
def test_the_count_can_tell(name: str, libc: str, tmp_path: Path) -> None:
    done, said = run(tmp_path, name, "clocks", libc, "0", vdso="off")
    assert done.syscalls(CLOCK_GETTIME) == said["clock_gettime"] + said["served"]
    assert done.syscalls(CLOCK_GETRES) == said["clock_getres"] + said["getres_served"]


@kernels
@libcs
def test_signal_handlers_return_through_the_image(name: str, libc: str, tmp_path: Path) -> None:
    """To its rt_sigreturn, whose code is the only one of the program that makes that system call."""
    done, said = run(tmp_path, name, "signals", libc)
    exports = json.loads((minimal() / "vdso.json").read_text())["exports"]
    assert said["return"] == next(e["address"] for e in exports if e["name"] == "__vdso_rt_sigreturn")
    assert said["handlers"] == done.syscalls(RT_SIGRETURN) == 5


@kernels
def test_cancelled_threads_unwind_through_the_image(name: str, tmp_path: Path) -> None:
    _, said = run(tmp_path, name, "cancel", "glibc")
    assert said == {"cancelled": 6, "cleanups": 666}
