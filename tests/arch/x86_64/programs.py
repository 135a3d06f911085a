# SPDX-License-Identifier: MIT
"""Programs of glibc, musl and Go for x86_64, and the launcher that they run under, natively, and watched by strace."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

from kernel_builds import PROGRAMS, run, session_folder
from kernels.program_builds import CFLAGS, LAUNCHER_ADDRESS, go_for
from kernels.runtimes import SECONDS, TOLERANCE_NS, Run, said
from repository import SOURCES, TESTS
from vdso.arch.x86_64.facts import X86_64

CC = X86_64.emulation.cc.name


@cache
def static(name: str) -> Path:
    """Build a program of tests/kernels/programs with all of glibc in it."""
    return _made(PROGRAMS / f"{name}.c", f"{name}-x86_64-static", "-static")


@cache
def dynamic(name: str) -> Path:
    """Build a program for the dynamic loader of glibc."""
    return _made(PROGRAMS / f"{name}.c", f"{name}-x86_64")


@cache
def go(name: str) -> Path:
    """Build the Go program `name`."""
    return go_for(name, "amd64")


@cache
def launcher() -> Path:
    """Build tests/kernels/launcher.c with the layout of the data page that the stubs have."""
    own = (TESTS / "arch" / X86_64.name, SOURCES, SOURCES / X86_64.name)
    place = f"-Wl,-Ttext-segment={LAUNCHER_ADDRESS:#x}"
    return _made(TESTS / "kernels" / "launcher.c", "launcher-x86_64", "-static", place, *(f"-I{folder}" for folder in own))


def _made(source: Path, name: str, *flags: str) -> Path:
    out = session_folder() / name
    run(CC, *CFLAGS, *flags, source, "-o", out)
    return out


def program(name: str) -> Path:
    """Return the program that reads clocks, by what it is compiled with and how it is linked."""
    return {"glibc": dynamic, "glibc, static": static, "Go": go}[name]("clocks")


def launch(name: str, image: Path, data_offset: int, log: Path, *options: str) -> Run:
    """Run a program on an image. `log`: where strace writes the system calls."""
    words = ["strace", "-f", "-o", log, launcher(), *options, image, data_offset, program(name), TOLERANCE_NS]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=SECONDS, check=False)
    return said(done, log)


def selftest(image: Path, data_offset: int, selftest: Path, *options: str) -> tuple[int, dict[str, bool]]:
    """Run vdso-selftest on an image. Return its status, and each test that was not skipped, by its words: whether it holds."""
    words = [launcher(), *options, image, data_offset, selftest]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=SECONDS, check=False)
    lines = re.findall(r"^(ok|not ok) \d+ - (.*)$", done.stdout, re.M)
    return done.returncode, {text: word == "ok" for word, text in lines if "# SKIP" not in text}
