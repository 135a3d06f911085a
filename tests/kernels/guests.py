# SPDX-License-Identifier: MIT
"""Programs of each C library and of Go for another architecture on one of our images: the form of all architectures.

`programs.py` of an architecture's folder in tests/arch says which programs there are, and what they run under.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bases import bases, minimal
from debian_packages import KERNEL, MACHINE, PACKAGES, Packages
from kernel_builds import session_folder
from kernels.runtimes import SECONDS, Run, Runtime, said
from scons_build import build
from vdso.arch.arch import Arch

# Debian 12's QEMU does not know the vector registers that Debian's programs use on every architecture. A later one is linked
# statically, so that it runs here too.
QEMU = Packages(MACHINE, ("qemu-user",), ("stable", "testing"))


class Runner(Protocol):
    """What runs a program of an architecture: the words that come before its own."""

    def plain(self) -> Sequence[object]: ...

    def traced(self, log: Path, root: Path) -> Sequence[object]:
        """Return the words for a run whose system calls are written to `log`. `root`: where its libraries are."""


@dataclass(frozen=True)
class Emulated:
    """Runs programs in QEMU, which `qemu` finds."""

    qemu: Callable[[], Path]

    def plain(self) -> Sequence[object]:
        return (self.qemu(),)

    def traced(self, log: Path, root: Path) -> Sequence[object]:
        return (self.qemu(), "-strace", "-D", log, "-L", root)


class Native:
    """Runs programs of this very machine."""

    def plain(self) -> Sequence[object]:
        return ()

    def traced(self, log: Path, root: Path) -> Sequence[object]:
        assert root == Path("/")
        return ("strace", "-f", "-o", log)


@dataclass(frozen=True)
class Guest:
    """
    runner      what runs programs of the architecture
    launcher    examples/launcher, built for it
    runtimes    the programs that read clocks, by the name of what they are compiled with
    """

    arch: Arch
    runner: Runner
    launcher: Callable[[], Path]
    runtimes: Mapping[str, Runtime]

    def base(self, word: str) -> str:
        """Return BASE for `minimal`, or for `linux`: a vDSO of Linux that is at hand, or Debian's kernel."""
        found = [*bases(f"{self.arch.name}-linux-*.so"), None][0]
        return word if word == "minimal" else str(found or PACKAGES[self.arch.name].deb(KERNEL))

    def linux(self) -> list[str]:
        """Return the names of the vDSOs of Linux that are at hand, or `debian` for that of Debian's kernel."""
        return [path.stem for path in bases(f"{self.arch.name}-linux-*.so")] or ["debian"]

    def vdso(self, name: str) -> Path:
        """Return the file of a vDSO: one of `linux`, or `minimal`, which is our own base."""
        if name == "minimal":
            return minimal(self.arch)
        if name != "debian":
            return next(path for path in bases(f"{self.arch.name}-linux-*.so") if path.stem == name)
        out = session_folder() / f"debian-{self.arch.name}"
        if not out.exists():
            build(out, f"ARCH={self.arch.name}", f"BASE={PACKAGES[self.arch.name].deb(KERNEL)}")
        return out / "base.so"

    def launch(self, name: str, image: Path, data_offset: int, log: Path, *options: str) -> Run:
        """Run a program on an image. `log`: where the system calls are written."""
        runtime = self.runtimes[name]
        words = [*self.runner.traced(log, runtime.root()), self.launcher(), *options, image, data_offset]
        return said(_run(*words, runtime.program(), *runtime.arguments), log)

    def selftest(self, image: Path, data_offset: int, program: Path, *options: str) -> tuple[int, dict[str, bool]]:
        """Run vdso-selftest on an image. Return its status and, by its words, whether each test holds that was not skipped."""
        done = _run(*self.runner.plain(), self.launcher(), *options, image, data_offset, program)
        lines = re.findall(r"^(ok|not ok) \d+ - (.*)$", done.stdout, re.M)
        return done.returncode, {text: word == "ok" for word, text in lines if "# SKIP" not in text}


def _run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=SECONDS, check=False)


def qemu(arch: Arch) -> Path:
    """Return a QEMU for programs that knows vector registers."""
    return QEMU.unpacked("qemu-user") / "usr" / "bin" / arch.emulation.user.name
