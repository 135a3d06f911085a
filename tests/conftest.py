# SPDX-License-Identifier: MIT
"""Puts the library on the path, names the bases that the tests run on, and has the option for full lengths."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "site_scons" / "site_tools"), str(ROOT / "examples"), str(ROOT / "tests")]


def bases(pattern: str = "*.so") -> list[Path]:
    """The files of the folder that VDSO_BASES names; without it, bases that are made here, none of them of a Linux."""
    folder = os.environ.get("VDSO_BASES")
    return sorted((Path(folder).resolve() if folder else Path(made_bases().name)).glob(pattern))


@functools.cache
def made_bases() -> tempfile.TemporaryDirectory[str]:
    """A folder that ends with this process: a base of each kind, named as those of Linux are."""
    from elf_builder import Spec, build

    specs = {
        "riscv64-made": Spec(),
        "riscv64-made-gnu": Spec(hashes=("gnu",)),
        "riscv64-made-cfi": Spec(auxiliary="cf-protection=full"),
        "riscv32-made-compat": Spec(bits=32, soname="linux-compat_vdso.so.1"),
        "aarch64-made": Spec(machine=183),
    }
    folder = tempfile.TemporaryDirectory(prefix="scons-vdso-bases-")
    for name, spec in specs.items():
        (Path(folder.name) / f"{name}.so").write_bytes(build(spec))
    return folder


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run the proofs at full length (minutes to hours)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file share what they build: one process runs them. Those in QEMU are a group, one after the other."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Are full lengths asked for?"""
    return bool(request.config.getoption("--full"))
