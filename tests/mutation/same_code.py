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
from stub_build import CCFLAGS, PREFIX

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
    sources = root / "vdso_src"
    folders = [sources, *(place for place in sorted(sources.iterdir()) if place.is_dir() and place.name != "selftest")]
    include = [f"-I{place}" for place in folders]
    stubs = [source for place in folders for source in sorted(place.glob("*.c"))]
    cross, made = [f"{PREFIX}gcc", *CCFLAGS, *include, "-c", "-o", folder / "made"], folder / "made"
    for source in (*stubs, *sorted((root / "examples/user-functions").glob("*.c")), root / "tests/memory_order/order_kernel.c"):
        _run(*cross, source)
        yield made
        for hz in FREQUENCIES if source in stubs else ():
            _run(*cross, "-DVDSO_DATA_PAGE_NONE", f"-DVDSO_TIMEBASE_HZ={hz}", source)
            yield made
    header = f'-DKERNEL_HEADER="{sources / "vdso_data.h"}"'
    _run("cc", "-std=c99", "-O2", "-fPIC", "-shared", *include, header, "-o", made, root / "tests/support/kernel.c")
    yield made


def _rust(root: Path, folder: Path) -> Iterator[Path]:
    """Yield the kernel's side for this machine, and the updates for riscv64, whose fences no other has."""
    _run(sys.executable, "-m", "SCons", "-Q", "-C", root, "vdso", "BASE=minimal", f"OUT={folder}")
    for name in ("kernel.rs", "answer.rs"):
        shutil.copy(root / "tests" / "support" / name, folder)
    made = folder / "made"
    _run("rustc", "--edition", "2021", "-O", "--crate-type", "cdylib", "-o", made, folder / "kernel.rs")
    yield made
    yield compile_rust(folder, folder / "vdso.rs")
