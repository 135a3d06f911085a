# SPDX-License-Identifier: MIT
"""Programs of glibc for aarch64, and the launcher that they run under, in the QEMU of Debian 12."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

from kernel_builds import PROGRAMS, run, session_folder
from kernels.program_builds import CFLAGS, LAUNCHER_ADDRESS
from kernels.runtimes import SECONDS, TOLERANCE_NS, Run, said
from repository import SOURCES, TESTS
from vdso.arch.aarch64.facts import AARCH64

QEMU, CC = AARCH64.emulation.user.name, AARCH64.emulation.cc.name
ROOT = Path(AARCH64.emulation.libc.name).parents[1]  # of Debian's cross glibc


@cache
def static(name: str) -> Path:
    """Build a program of tests/kernels/programs with all of glibc in it."""
    return _made(PROGRAMS / f"{name}.c", f"{name}-aarch64-static", "-static")


@cache
def dynamic(name: str) -> Path:
    """Build a program for the dynamic loader of glibc."""
    return _made(PROGRAMS / f"{name}.c", f"{name}-aarch64")


@cache
def launcher() -> Path:
    """Build tests/kernels/launcher.c with the layout of the data page that the stubs have."""
    own = (TESTS / "arch" / AARCH64.name, SOURCES, SOURCES / AARCH64.name)
    place = f"-Wl,-Ttext-segment={LAUNCHER_ADDRESS:#x}"
    return _made(TESTS / "kernels" / "launcher.c", "launcher-aarch64", "-static", place, *(f"-I{folder}" for folder in own))


def _made(source: Path, name: str, *flags: str) -> Path:
    out = session_folder() / name
    run(CC, *CFLAGS, *flags, source, "-o", out)
    return out


def program(name: str) -> Path:
    """Return the program that reads clocks, by how it is linked."""
    return {"glibc": dynamic, "glibc, static": static}[name]("clocks")


def launch(name: str, image: Path, data_offset: int, log: Path, *options: str) -> Run:
    """Run a program on an image. `log`: where QEMU writes the system calls."""
    words = [QEMU, "-strace", "-D", log, "-L", ROOT, launcher(), *options, image, data_offset, program(name), TOLERANCE_NS]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=SECONDS, check=False)
    return said(done, log)


def selftest(image: Path, data_offset: int, selftest: Path, *options: str) -> tuple[int, dict[str, bool]]:
    """Run vdso-selftest on an image. Return its status, and each test that was not skipped, by its words: whether it holds."""
    words = [QEMU, launcher(), *options, image, data_offset, selftest]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=SECONDS, check=False)
    lines = re.findall(r"^(ok|not ok) \d+ - (.*)$", done.stdout, re.M)
    return done.returncode, {text: word == "ok" for word, text in lines if "# SKIP" not in text}
