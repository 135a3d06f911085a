# SPDX-License-Identifier: MIT
"""Builds of the example kernels, of their blob, and of programs for them: as they are, or with a text replaced."""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from machines import MACHINES
from machines.machine import includes
from repository import ROOT, TESTS
from scons_build import scons

Replace = Mapping[str, tuple[str, str]]

EXAMPLES = ROOT / "examples"
PROGRAMS = TESTS / "kernels" / "programs"
# what makes cleanups and unwinders work that come from a signal handler
CFLAGS = ("-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-fexceptions", "-fasynchronous-unwind-tables")


@cache
def session_folder() -> Path:
    """Return a folder for the files that all tests of this process share; it is deleted at the end."""
    folder = Path(tempfile.mkdtemp(prefix="scons-vdso-kernels."))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def run(*command: object) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def patch(folder: Path, replace: Replace) -> None:
    """Replace in each file, relative to `folder`, the one occurrence of a text."""
    for name, (old, new) in replace.items():
        text = (folder / name).read_text()
        assert text.count(old) == 1, f"{name}: {old!r} occurs {text.count(old)} times, not once"
        (folder / name).write_text(text.replace(old, new))


def build_vdso(out: Path, *words: str, replace: Replace | None = None, arch: str = "riscv64") -> Path:
    """Return `out` with the outputs of `scons vdso BASE=minimal words`; `replace` is relative to a copy of the repository."""
    if arch != "riscv64":
        words = (f"ARCH={arch}", f"PAGE_SIZE={MACHINES[arch].page_size}", *words)
    root = ROOT
    if replace:
        root = out / "repository"
        for name in ("site_scons", "vdso_src", "templates", "SConstruct"):
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            root.mkdir(parents=True, exist_ok=True)
            copy(ROOT / name, root / name)
        patch(root, replace)
    done = scons("-C", str(root), "vdso", f"OUT={out}", "BASE=minimal", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@cache
def minimal(arch: str = "riscv64") -> Path:
    """Return the folder of the blob from BASE=minimal, as the kernels of an architecture take it."""
    return build_vdso(session_folder() / f"vdso-{arch}", arch=arch)


def make_c(arch: str, sources: Path, out: Path, vdso: Path) -> None:
    run("make", "-s", "-C", sources, f"ARCH={arch}", f"OUT={out}", f"VDSO={vdso}")


def make_rust(arch: str, sources: Path, out: Path, vdso: Path) -> None:
    # `core` is compiled once for all kernels of a session, or of all sessions if the user names a folder
    os.environ.setdefault("CARGO_TARGET_DIR", str(session_folder() / "cargo"))
    run(sources / "build", out, f"ARCH={arch}", f"VDSO={vdso}")


@dataclass(frozen=True)
class Example:
    """An example kernel: for which architecture, in which language, its sources, and what builds them."""

    arch: str
    language: str
    sources: Path
    build: Callable[[str, Path, Path, Path], None]


KERNELS = ("c", "rust")
"""The kernels of riscv64."""
ALL_KERNELS = {
    "c": Example("riscv64", "c", EXAMPLES / "kernel-c", make_c),
    "rust": Example("riscv64", "rust", EXAMPLES / "kernel-rust", make_rust),
    "c-loongarch64": Example("loongarch64", "c", EXAMPLES / "kernel-c", make_c),
    "rust-loongarch64": Example("loongarch64", "rust", EXAMPLES / "kernel-rust", make_rust),
    "c-aarch64": Example("aarch64", "c", EXAMPLES / "kernel-c", make_c),
    "rust-aarch64": Example("aarch64", "rust", EXAMPLES / "kernel-rust", make_rust),
    "c-x86_64": Example("x86_64", "c", EXAMPLES / "kernel-c", make_c),
    "rust-x86_64": Example("x86_64", "rust", EXAMPLES / "kernel-rust", make_rust),
}
"""Those of all architectures. On loongarch64 the C library of a program is examples/libc: QEMU 7.2 has no LSX, which
Debian's C libraries there are compiled for."""
LIBC_KERNELS = (*KERNELS, "c-aarch64", "rust-aarch64", "c-x86_64", "rust-x86_64")
"""Those that programs of Debian's C libraries run on: glibc of Debian 12, and musl."""


def outputs(folder: str, names: list[str]) -> list[str]:
    """Return the names of outputs that somebody has built beside the sources."""
    return [name for name in names if name in ("build", "target") and (Path(folder) / name).is_dir()]


def build_kernel(name: str, out: Path, replace: Replace | None = None, vdso: Path | None = None) -> Path:
    """Build kernel.elf of an example in `out`. `replace` is relative to a copy of its sources; `vdso`: see build_vdso."""
    example = ALL_KERNELS[name]
    sources = example.sources
    if replace:
        sources = shutil.copytree(sources, out / "sources", ignore=outputs)
        patch(sources, replace)
    example.build(example.arch, sources, out, vdso or minimal(example.arch))
    return out / "kernel.elf"


@cache
def kernel(name: str) -> Path:
    """Return kernel.elf of an example as it is, built once."""
    return build_kernel(name, session_folder() / f"kernel-{name}")


@cache
def program(source: Path, *flags: str, arch: str = "riscv64") -> Path:
    """Return a static program as the examples build it, built once: with Debian's cross glibc, or with examples/libc."""
    machine = MACHINES[arch]
    # flags may name files, and all of them together be longer than a file's name may be
    out = session_folder() / "-".join(
        [source.stem, arch, *([hashlib.sha256(repr(flags).encode()).hexdigest()[:12]] if flags else [])]
    )
    run(*machine.compile, *includes(arch), "-Wall", "-Wextra", "-Werror", *flags, "-o", out, source)
    return out
