# SPDX-License-Identifier: MIT
"""Faults of C and Rust that no test can find, as compilers make the same of them, and those that they make nothing of."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from memory_order.rust_kernel import compile_rust
from vdso.arch import ARCHES
from vdso.arch.riscv64.facts import RISCV64
from vdso.stubs import toolchain

FREQUENCIES = (32768, 10**7, 99_999_989, 10**9, 3_646_987_810)
"""Of the forms that the stubs without a page have."""


def made_of(root: Path, path: str) -> str:
    """Return a digest of what compilers make of all that has the file `path` of the checkout `root` in it; "" for nothing."""
    digest = hashlib.sha256()
    with tempfile.TemporaryDirectory() as folder:
        try:
            for made in (_rust if path.endswith(".j2") else _c)(root, Path(folder)):
                digest.update(made.read_bytes())
        except subprocess.CalledProcessError:
            return ""
    return digest.hexdigest()


def _run(*command: str | Path) -> None:
    subprocess.run(command, capture_output=True, check=True)


def _c(root: Path, folder: Path) -> Iterator[Path]:
    """Yield the stubs of each architecture, with and without a page, and the kernel's side of both for this machine."""
    sources, made = root / "vdso_src", folder / "made"
    for arch in ARCHES.values():
        compiler = arch.compilers.called(arch.compilers.words[0])[0]
        folders = (sources, sources / arch.name)
        include = [f"-I{place}" for place in folders]
        cross = [compiler.cc, *toolchain.CCFLAGS, *compiler.flags.stubs, *include, "-c", "-o", made]
        for source in (source for place in folders for source in sorted(place.glob("*.c"))):
            for settings in ((), *(("-DVDSO_DATA_PAGE_NONE", f"-DVDSO_TIMEBASE_HZ={hz}") for hz in FREQUENCIES)):
                _run(*cross, *settings, source)
                yield made
        if arch is RISCV64:
            for source in (*sorted((root / "examples/user-functions").glob("*.c")), root / "tests/memory_order/order_kernel.c"):
                _run(*cross, source)
                yield made
    include = [f"-I{sources}", f"-I{sources / RISCV64.name}"]
    _kernel(made, root / "tests/support/kernel.c", sources / "vdso_data.h", *include)
    yield made
    for hz in FREQUENCIES:
        _scons(root, folder, "DATA_PAGE=none", f"TIMEBASE_HZ={hz}")
        _kernel(made, root / "tests/support/kernel_without_page.c", folder / "vdso.h", *include)
        yield made


def _kernel(made: Path, source: Path, header: Path, *words: str) -> None:
    _run("cc", "-std=c99", "-O2", "-fPIC", "-shared", *words, f'-DKERNEL_HEADER="{header}"', "-o", made, source)


def _scons(root: Path, folder: Path, *words: str) -> None:
    _run(sys.executable, "-m", "SCons", "-Q", "-C", root, "vdso", "BASE=minimal", f"OUT={folder}", *words)


def _rust(root: Path, folder: Path) -> Iterator[Path]:
    """Yield the kernel's side for this machine, and the updates for riscv64, whose fences no other has."""
    _scons(root, folder)
    for name in ("kernel.rs", "answer.rs"):
        shutil.copy(root / "tests" / "support" / name, folder)
    made = folder / "made"
    _run("rustc", "--edition", "2021", "-O", "--crate-type", "cdylib", "-o", made, folder / "kernel.rs")
    yield made
    yield compile_rust(folder, folder / "vdso.rs")
