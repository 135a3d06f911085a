# SPDX-License-Identifier: MIT
"""`test ARCH=...` leaves out what names another architecture, and nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest
from repository import ROOT
from vdso.arch import ARCHES


def collected(*words: str) -> set[str]:
    """Return the tests of tests/arch, and of ranges, that pytest would run."""
    plain = ("-o", "addopts=--import-mode=importlib", "-q", "--collect-only", "-p", "no:cacheprovider")
    command = [sys.executable, "-m", "pytest", *plain, *words, "tests/arch", "tests/test_ranges.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {line for line in done.stdout.splitlines() if "::" in line}


@pytest.fixture(scope="module")
def all_tests() -> set[str]:
    return collected()


@pytest.mark.parametrize("name", ARCHES)
def test_what_is_left_out(name: str, all_tests: set[str]) -> None:
    rest = collected("--arch", name)
    others = [other for other in ARCHES if other != name]
    named = {test for test in all_tests if any(other in test for other in others)}
    assert all_tests - rest == named
    assert rest < all_tests
    assert any(f"tests/arch/{name}/" in test for test in rest)
    assert all(any(f"tests/arch/{other}/" in test for test in named) for other in others)
    assert any("tests/test_ranges.py" in test for test in rest), "which name none"
