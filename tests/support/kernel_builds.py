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
from functools import cache
from pathlib import Path

from repository import ROOT, TESTS
from scons_build import scons

Replace = Mapping[str, tuple[str, str]]

EXAMPLES = ROOT / "examples"
PROGRAMS = TESTS / "kernels" / "programs"
CC = "riscv64-linux-gnu-gcc"


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


def build_vdso(out: Path, *words: str, replace: Replace | None = None) -> Path:
    """Return `out` with the outputs of `scons vdso BASE=minimal words`; `replace` is relative to a copy of the repository."""
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
def minimal() -> Path:
    """Return the folder of the blob from BASE=minimal, as it is."""
    return build_vdso(session_folder() / "vdso")


def make_c(sources: Path, out: Path, vdso: Path) -> None:
    run("make", "-s", "-C", sources, f"OUT={out}", f"VDSO={vdso}")


def make_rust(sources: Path, out: Path, vdso: Path) -> None:
    # `core` is compiled once for all kernels of a session, or of all sessions if the user names a folder
    os.environ.setdefault("CARGO_TARGET_DIR", str(session_folder() / "cargo"))
    run(sources / "build", out, f"VDSO={vdso}")


KERNELS: dict[str, tuple[Path, Callable[[Path, Path, Path], None]]] = {
    "c": (EXAMPLES / "kernel-c", make_c),
    "rust": (EXAMPLES / "kernel-rust", make_rust),
}


def outputs(folder: str, names: list[str]) -> list[str]:
    """Return the names of outputs that somebody has built beside the sources."""
    return [name for name in names if name in ("build", "target") and (Path(folder) / name).is_dir()]


def build_kernel(name: str, out: Path, replace: Replace | None = None, vdso: Path | None = None) -> Path:
    """Build kernel.elf of an example in `out`. `replace` is relative to a copy of its sources; `vdso`: see build_vdso."""
    sources, build = KERNELS[name]
    if replace:
        sources = shutil.copytree(sources, out / "sources", ignore=outputs)
        patch(sources, replace)
    build(sources, out, vdso or minimal())
    return out / "kernel.elf"


@cache
def kernel(name: str) -> Path:
    """Return kernel.elf of an example as it is, built once."""
    return build_kernel(name, session_folder() / f"kernel-{name}")


@cache
def program(source: Path, *flags: str) -> Path:
    """Return a static program with Debian's cross glibc, built once."""
    # flags may name files, and all of them together be longer than a file's name may be
    out = session_folder() / "-".join(
        [source.stem, *([hashlib.sha256(repr(flags).encode()).hexdigest()[:12]] if flags else [])]
    )
    run(CC, "-static", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", *flags, "-o", out, source)
    return out
