# SPDX-License-Identifier: MIT
"""Programs of glibc, musl and Go for loongarch64, and the QEMU and the launcher that they run under.

Debian 12 has neither compiled libraries for this architecture nor a QEMU that knows the vector registers that Debian's own
programs use (LSX). So both come from later suites: the libraries from testing, QEMU from stable, where it is linked statically.
"""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

from debian_packages import KERNEL, Packages
from kernel_builds import PROGRAMS, run, session_folder
from kernels.program_builds import LAUNCHER_ADDRESS, go_for
from kernels.runtimes import Run, said
from repository import SOURCES, TESTS
from vdso.arch.loongarch64.facts import LOONGARCH64

MACHINE = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
LIBRARIES = Packages(LOONGARCH64.debian, ("libc6", "libtinfo6", "bash", "libgcc-16-dev", "musl", "musl-dev", KERNEL))
QEMU = Packages(MACHINE, ("qemu-user",), ("stable", "testing"))
CC = ("clang-19", "--target=loongarch64-unknown-linux-musl", "-mabi=lp64d", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread")
SECONDS = 300
# Reads clocks as a script does, by time(), gettimeofday() and clock_gettime(), and sees that none goes back.
SCRIPT = """
for ((served = 0, last = 0, mono = 0; served < 900; served += 3)); do
    now=${EPOCHREALTIME/[.,]/} up=$BASH_MONOSECONDS
    ((now >= last && up >= mono && EPOCHSECONDS >= 1600000000)) || exit 1
    last=$now mono=$up
done
echo ok served=$served clock_gettime=0
"""


def qemu() -> Path:
    """Return a QEMU for programs that has LSX."""
    return QEMU.unpacked("qemu-user") / "usr" / "bin" / "qemu-loongarch64"


@cache
def musl(name: str) -> Path:
    """Build a program of tests/kernels/programs with all of musl in it."""
    return _static(PROGRAMS / f"{name}.c", f"{name}-loongarch64")


@cache
def launcher() -> Path:
    """Build tests/kernels/launcher.c with the layout of the data page that the stubs have."""
    own = (TESTS / "arch" / "loongarch64", SOURCES, SOURCES / "loongarch64")
    place = f"-Wl,--image-base={LAUNCHER_ADDRESS:#x}"
    return _static(TESTS / "kernels" / "launcher.c", "launcher-loongarch64", *(f"-I{folder}" for folder in own), place)


def _static(source: Path, name: str, *flags: str) -> Path:
    development = LIBRARIES.unpacked("musl-dev") / "usr"
    triplet = "loongarch64-linux-musl"
    (gcc,) = (LIBRARIES.unpacked("libgcc-16-dev") / "usr" / "lib" / "gcc" / "loongarch64-linux-gnu").iterdir()
    builtin = subprocess.run([CC[0], "-print-resource-dir"], capture_output=True, text=True, check=True).stdout.strip()
    libraries = development / "lib" / triplet
    out = session_folder() / name
    headers = ("-nostdinc", "-isystem", development / "include" / triplet, "-isystem", f"{builtin}/include")
    parts = [libraries / part for part in ("crt1.o", "crti.o", "libc.a", "crtn.o")]
    linked = (*parts[:2], source, parts[2], gcc / "libgcc.a", parts[2], parts[3])
    run(*CC, *headers, *flags, "-static", "-nostdlib", "-fuse-ld=lld-19", *linked, "-o", out)
    return out


@cache
def go(name: str) -> Path:
    """Build the Go program `name`."""
    return go_for(name, "loong64")


@cache
def sysroot() -> Path:
    """Return a root folder with glibc, and a shell, as Debian compiled them."""
    root = session_folder() / "loongarch64-root"
    for name in ("libc6", "libtinfo6", "bash"):
        folder = LIBRARIES.unpacked(name)
        for path in sorted(folder.rglob("*")):
            target = root / path.relative_to(folder)
            if not path.is_dir() or path.is_symlink():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(path)
    for name in ("lib", "lib64"):
        if not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    return root


def command(name: str) -> list[str | Path]:
    """Return a program and its arguments, by the name of what it is compiled with."""
    return {
        "glibc": lambda: [sysroot() / "usr" / "bin" / "bash", "-c", SCRIPT],
        "musl": lambda: [musl("clocks"), "2000000"],
        "Go": lambda: [go("clocks"), "2000000"],
    }[name]()


def launch(program: str, image: Path, data_offset: int, log: Path, *options: str) -> Run:
    """Run a program on an image. `log`: where QEMU writes the system calls."""
    words = [qemu(), "-strace", "-D", log, "-L", sysroot() if program == "glibc" else "/", launcher(), *options]
    words += [image, str(data_offset), *command(program)]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=SECONDS, check=False)
    return said(done, log)


def selftest(image: Path, data_offset: int, program: Path, *options: str) -> tuple[int, dict[str, bool]]:
    """Run vdso-selftest on an image. Return its status, and each test that was not skipped, by its words: whether it holds."""
    words = [qemu(), launcher(), *options, image, str(data_offset), program]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=SECONDS, check=False)
    lines = re.findall(r"^(ok|not ok) \d+ - (.*)$", done.stdout, re.M)
    return done.returncode, {text: word == "ok" for word, text in lines if "# SKIP" not in text}
