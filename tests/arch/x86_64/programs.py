# SPDX-License-Identifier: MIT
"""Programs of glibc, musl and Go for x86_64. On a machine of x86_64 they run natively, watched by strace, else in QEMU."""

from __future__ import annotations

import platform
from pathlib import Path

from kernels.guests import Emulated, Guest, Native
from kernels.program_builds import dynamic, go_for, launcher, static
from kernels.runtimes import Runtime
from vdso.arch.x86_64.facts import X86_64

HERE = platform.machine() == X86_64.name
CROSS = Path("/" if HERE else "/usr/x86_64-linux-gnu")  # the machine's own glibc, or Debian's cross glibc

X86 = Guest(
    arch=X86_64,
    runner=Native() if HERE else Emulated(lambda: Path(X86_64.emulation.user.name)),
    launcher=lambda: launcher(X86_64.name),
    runtimes={
        "glibc 2.36": Runtime(lambda: dynamic("clocks", "glibc", X86_64.name), lambda: CROSS),
        "glibc 2.36, static": Runtime(lambda: static("clocks", "glibc", X86_64.name)),
        "musl 1.2.6, static": Runtime(lambda: static("clocks", "musl", X86_64.name), vdso_getres=False),
        "Go": Runtime(lambda: go_for("clocks", "amd64"), each=2, exact=False),
    },
)
