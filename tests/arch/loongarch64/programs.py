# SPDX-License-Identifier: MIT
"""Programs of glibc, musl and Go for loongarch64, and what they run under.

Debian 12 has neither compiled libraries for this architecture nor a QEMU that knows the vector registers that Debian's own
programs use (LSX). So both come from later suites: the libraries from testing, QEMU from stable.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from debian_packages import PACKAGES
from kernel_builds import PROGRAMS, session_folder
from kernels.clang_builds import Library, musl
from kernels.guests import Emulated, Guest, qemu
from kernels.program_builds import go_for, merged
from kernels.runtimes import Runtime
from machines.machine import LAUNCHER, launcher_flags
from vdso.arch.loongarch64.facts import LOONGARCH64

LIBRARIES = PACKAGES[LOONGARCH64.name]
TRIPLET = "loongarch64-linux-gnu"
# Reads clocks as a script does, by time(), gettimeofday() and clock_gettime(), and sees that none goes back.
SCRIPT = """
for ((served = 0, last = 0, mono = 0; served < 900; served += 3)); do
    now=${EPOCHREALTIME/[.,]/} up=$BASH_MONOSECONDS
    ((now >= last && up >= mono && EPOCHSECONDS >= 1600000000)) || exit 1
    last=$now mono=$up
done
echo ok served=$served clock_gettime=0
"""


def gcc() -> Path:
    """Return the folder with gcc's own objects and libraries."""
    (folder,) = (LIBRARIES.unpacked("libgcc-16-dev") / "usr" / "lib" / "gcc" / TRIPLET).iterdir()
    return folder


@cache
def with_musl() -> Library:
    target = ("--target=loongarch64-unknown-linux-musl", "-mabi=lp64d")
    return musl(LOONGARCH64.name, target, gcc() / "libgcc.a", linux_headers())


def linux_headers() -> tuple[Path, Path]:
    folder = LIBRARIES.unpacked("linux-libc-dev") / "usr" / "include"
    return folder / TRIPLET, folder


@cache
def glibc() -> Library:
    development = LIBRARIES.unpacked("libc6-dev") / "usr"
    libraries, shared = development / "lib" / TRIPLET, LIBRARIES.unpacked("libc6") / "usr" / "lib" / TRIPLET
    headers = development / "include"
    loader = shared / "ld-linux-loongarch-lp64d.so.1"
    return Library(
        target=("--target=loongarch64-unknown-linux-gnu", "-mabi=lp64d"),
        headers=(headers / TRIPLET, headers, *linux_headers()),
        start=(libraries / "crt1.o", libraries / "crti.o"),
        end=(libraries / "crtn.o",),
        static=(libraries / "libc.a", gcc() / "libgcc.a", gcc() / "libgcc_eh.a"),
        dynamic=(shared / "libc.so.6", libraries / "libc_nonshared.a", loader, gcc() / "libgcc.a"),
        loader=f"/lib64/{loader.name}",
    )


@cache
def built(name: str, libc: str, static: bool) -> Path:
    """Build a program of tests/kernels/programs."""
    library = {"glibc": glibc, "musl": with_musl}[libc]()
    out = f"{name}-{libc}{'-static' * static}-loongarch64"
    return library.build(PROGRAMS / f"{name}.c", out, static=static)


@cache
def launcher() -> Path:
    return with_musl().build(LAUNCHER, "launcher-loongarch64", *launcher_flags(LOONGARCH64.name, "--image-base"), static=True)


@cache
def root(*names: str) -> Path:
    """Return a root folder with these packages."""
    return merged(session_folder() / f"loongarch64-root-{'-'.join(names)}", (LIBRARIES.unpacked(name) for name in names))


def shell_root() -> Path:
    return root("libc6", "libtinfo6", "bash")


LOONG = Guest(
    arch=LOONGARCH64,
    runner=Emulated(lambda: qemu(LOONGARCH64)),
    launcher=launcher,
    runtimes={
        "glibc 2.43": Runtime(lambda: built("clocks", "glibc", static=False), lambda: root("libc6")),
        "glibc 2.43, static": Runtime(lambda: built("clocks", "glibc", static=True)),
        "musl 1.2.6": Runtime(lambda: built("clocks", "musl", static=False), lambda: root("musl"), vdso_getres=False),
        "musl 1.2.6, static": Runtime(lambda: built("clocks", "musl", static=True), vdso_getres=False),
        "Go": Runtime(lambda: go_for("clocks", "loong64"), each=2, exact=False),
        # as Debian compiled it
        "bash": Runtime(lambda: shell_root() / "usr" / "bin" / "bash", shell_root, exact=False, arguments=("-c", SCRIPT)),
    },
)
