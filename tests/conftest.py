# SPDX-License-Identifier: MIT
"""Puts the library on the path, names the bases that the tests run on, and has the option for full lengths."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "site_scons" / "site_tools"), str(ROOT / "examples"), str(ROOT / "tests")]


def bases(pattern: str = "*.so") -> list[Path]:
    """The files of the folder that VDSO_BASES names; none without it."""
    folder = os.environ.get("VDSO_BASES")
    return sorted(Path(folder).resolve().glob(pattern)) if folder else []


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
