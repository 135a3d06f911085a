# SPDX-License-Identifier: MIT
"""Programs of glibc, musl and Go for aarch64, and what they run under: glibc is that of Debian 12, musl of testing."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from debian_packages import KERNEL, Packages
from kernel_builds import PROGRAMS, run, session_folder
from kernels.clang_builds import Library, libgcc, musl
from kernels.guests import Emulated, Guest
from kernels.program_builds import CFLAGS, go_for, merged
from kernels.runtimes import Runtime
from machines.machine import LAUNCHER, launcher_flags
from vdso.arch.aarch64.facts import AARCH64

LIBRARIES = Packages(AARCH64.debian, ("musl", "musl-dev", KERNEL))
CC = AARCH64.emulation.cc.name
CROSS = Path(AARCH64.emulation.libc.name).parents[1]  # Debian's cross glibc


@cache
def glibc(name: str, *flags: str) -> Path:
    """Build a program of tests/kernels/programs."""
    return _made(PROGRAMS / f"{name}.c", f"{name}-aarch64{''.join(flags)}", *flags)


def _made(source: Path, name: str, *flags: str) -> Path:
    out = session_folder() / name
    run(CC, *CFLAGS, *flags, source, "-o", out)
    return out


@cache
def library() -> Library:
    target = ("--target=aarch64-linux-musl", "-mno-outline-atomics")
    return musl(AARCH64.name, target, LIBRARIES.unpacked("musl-dev"), libgcc(CC), LIBRARIES.unpacked("musl"))


@cache
def with_musl(name: str, static: bool) -> Path:
    return library().build(PROGRAMS / f"{name}.c", f"{name}-musl{'-static' * static}-aarch64", static=static)


@cache
def musl_root() -> Path:
    return merged(session_folder() / "aarch64-root-musl", [LIBRARIES.unpacked("musl")])


@cache
def launcher() -> Path:
    return _made(LAUNCHER, "launcher-aarch64", "-static", *launcher_flags(AARCH64.name, "-Ttext-segment"))


ARM = Guest(
    arch=AARCH64,
    packages=LIBRARIES,
    runner=Emulated(lambda: Path(AARCH64.emulation.user.name)),
    launcher=launcher,
    runtimes={
        "glibc 2.36": Runtime(lambda: glibc("clocks"), lambda: CROSS),
        "glibc 2.36, static": Runtime(lambda: glibc("clocks", "-static")),
        "musl 1.2.6": Runtime(lambda: with_musl("clocks", static=False), musl_root, vdso_getres=False),
        "musl 1.2.6, static": Runtime(lambda: with_musl("clocks", static=True), vdso_getres=False),
        "Go": Runtime(lambda: go_for("clocks", "arm64"), each=2, exact=False),
    },
)
