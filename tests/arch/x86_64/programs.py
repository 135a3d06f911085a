# SPDX-License-Identifier: MIT
"""Programs of glibc, musl and Go for x86_64. On a machine of x86_64 they run natively, watched by strace, else in QEMU."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

from debian_packages import KERNEL, Packages
from kernel_builds import PROGRAMS, run, session_folder
from kernels.clang_builds import libgcc, musl
from kernels.guests import Emulated, Guest, Native
from kernels.program_builds import CFLAGS, go_for
from kernels.runtimes import Runtime
from machines.machine import LAUNCHER, launcher_flags
from vdso.arch.x86_64.facts import X86_64

LIBRARIES = Packages(X86_64.debian, ("musl-dev", KERNEL))
CC = X86_64.emulation.cc.name
HERE = platform.machine() == X86_64.name
CROSS = Path("/" if HERE else "/usr/x86_64-linux-gnu")  # the machine's own glibc, or Debian's cross glibc


@cache
def glibc(name: str, *flags: str) -> Path:
    """Build a program of tests/kernels/programs."""
    return _made(PROGRAMS / f"{name}.c", f"{name}-x86_64{''.join(flags)}", *flags)


def _made(source: Path, name: str, *flags: str) -> Path:
    out = session_folder() / name
    run(CC, *CFLAGS, *flags, source, "-o", out)
    return out


@cache
def with_musl(name: str) -> Path:
    """Build a program of tests/kernels/programs with all of musl in it."""
    library = musl(X86_64.name, ("--target=x86_64-linux-musl",), LIBRARIES.unpacked("musl-dev"), libgcc(CC))
    return library.build(PROGRAMS / f"{name}.c", f"{name}-musl-static-x86_64", static=True)


@cache
def launcher() -> Path:
    return _made(LAUNCHER, "launcher-x86_64", "-static", *launcher_flags(X86_64.name, "-Ttext-segment"))


X86 = Guest(
    arch=X86_64,
    packages=LIBRARIES,
    runner=Native() if HERE else Emulated(lambda: Path(X86_64.emulation.user.name)),
    launcher=launcher,
    runtimes={
        "glibc 2.36": Runtime(lambda: glibc("clocks"), lambda: CROSS),
        "glibc 2.36, static": Runtime(lambda: glibc("clocks", "-static")),
        "musl 1.2.6, static": Runtime(lambda: with_musl("clocks"), vdso_getres=False),
        "Go": Runtime(lambda: go_for("clocks", "amd64"), each=2, exact=False),
    },
)
