# SPDX-License-Identifier: MIT
"""Programs of glibc, musl and Go for aarch64, and what they run under: glibc is that of Debian 12, musl of testing."""

from __future__ import annotations

from pathlib import Path

from kernels.guests import Emulated, Guest
from kernels.program_builds import dynamic, go_for, launcher, static, sysroot
from kernels.runtimes import Runtime
from vdso.arch.aarch64.facts import AARCH64

CROSS = Path(AARCH64.emulation.libc.name).parents[1]  # Debian's cross glibc

ARM = Guest(
    arch=AARCH64,
    runner=Emulated(lambda: Path(AARCH64.emulation.user.name)),
    launcher=lambda: launcher(AARCH64.name),
    runtimes={
        "glibc 2.36": Runtime(lambda: dynamic("clocks", "glibc", AARCH64.name), lambda: CROSS),
        "glibc 2.36, static": Runtime(lambda: static("clocks", "glibc", AARCH64.name)),
        "musl 1.2.6": Runtime(
            lambda: dynamic("clocks", "musl", AARCH64.name), lambda: sysroot("musl", AARCH64.name), vdso_getres=False
        ),
        "musl 1.2.6, static": Runtime(lambda: static("clocks", "musl", AARCH64.name), vdso_getres=False),
        "Go": Runtime(lambda: go_for("clocks", "arm64"), each=2, exact=False),
    },
)
