# SPDX-License-Identifier: MIT
"""Unmodified programs of glibc and Go on images for x86_64, natively: they read the clock without system calls."""

from __future__ import annotations

import json
import platform
from functools import cache
from pathlib import Path

import pytest
from arch.x86_64.programs import launch, selftest
from bases import bases
from kernel_builds import session_folder
from scons_build import build, scons

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="runs natively, on a machine of x86_64")
PROGRAMS = ("glibc", "glibc, static", "Go")
CASES = [("minimal", "after"), *((str(path), "before") for path in bases("x86_64-linux-*.so"))]
HOSTS_OWN = ("mprotect", "clock_gettime(", "gettimeofday", "clock_getres", "MONOTONIC")
"""How tests of the selftest begin that the host's own clocks, or its mprotect(), fail."""


@cache
def made(base: str, page: str) -> tuple[Path, int]:
    """Return the folder with the outputs for a base, and where the data page lies."""
    out = session_folder() / f"x86_64-{Path(base).stem}-{page}"
    words = ("ARCH=x86_64", f"BASE={base}", f"DATA_PAGE={page}")
    build(out, *words)
    if base == "minimal":
        done = scons(f"OUT={out}", *words, f"{out}/vdso-selftest")
        assert done.returncode == 0, done.stdout + done.stderr
    return out, json.loads((out / "vdso.json").read_text())["data_offset"]


@pytest.mark.parametrize(("base", "page"), CASES, ids=lambda value: Path(value).stem)
@pytest.mark.parametrize("program", PROGRAMS)
def test_reads_the_clock_without_a_system_call(program: str, base: str, page: str, tmp_path: Path) -> None:
    out, offset = made(base, page)
    run = launch(program, out / "vdso.so", offset, tmp_path / "log")
    assert run.status == 0
    assert run.said["served"] > 500
    assert run.clock_gettime == run.said.get("clock_gettime", 0), "more system calls than were made on purpose"
    assert run.gettimeofday == 0


@pytest.mark.parametrize("option", ["--auxv=no", "--page=zero"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_count_can_tell(program: str, option: str, tmp_path: Path) -> None:
    out, offset = made("minimal", "after")
    run = launch(program, out / "vdso.so", offset, tmp_path / "log", option)
    assert run.clock_gettime + run.gettimeofday >= run.said["served"]


def test_the_selftest_passes_where_the_arrangement_is_right() -> None:
    out, offset = made("minimal", "after")
    _, found = selftest(out / "vdso.so", offset, out / "vdso-selftest")
    assert len(found) > 30
    assert [text for text, holds in found.items() if not holds and not text.startswith(HOSTS_OWN)] == []


@pytest.mark.parametrize(
    ("option", "broken"),
    [
        ("--auxv=no", "AT_SYSINFO_EHDR is in the auxiliary vector"),
        ("--image=write", "the image can't be written"),
        ("--page=write", "the data page can't be written"),
        ("--page=zero", "the data page is initialised"),
        ("--page=none", "the data page can be read"),
    ],
)
def test_the_selftest_says_what_is_wrong(option: str, broken: str) -> None:
    out, offset = made("minimal", "after")
    status, found = selftest(out / "vdso.so", offset, out / "vdso-selftest", option)
    assert status == 1
    assert found[broken] is False
