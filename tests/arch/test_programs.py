# SPDX-License-Identifier: MIT
"""Unmodified programs of each C library and of Go on images of other architectures: they read the clock without system calls.

Without AT_SYSINFO_EHDR the same program in the same place makes a system call for each reading: so the count can tell. Those
of the architecture whose images the tests are made for first are in tests/kernels/test_runtimes.py.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from arch.aarch64.programs import ARM
from arch.loongarch64.programs import LOONG
from arch.x86_64.programs import X86
from kernel_builds import session_folder
from kernels.guests import Guest
from kernels.runtimes import system_calls
from scons_build import build, scons

GUESTS = {guest.arch.name: guest for guest in (LOONG, ARM, X86)}
RUNS = [pytest.param(guest, name, id=f"{arch}-{name}") for arch, guest in GUESTS.items() for name in guest.runtimes]
each = pytest.mark.parametrize("guest", GUESTS.values(), ids=GUESTS)
each_run = pytest.mark.parametrize(("guest", "name"), RUNS)
HOSTS_OWN = ("mprotect", "clock_gettime(", "gettimeofday", "clock_getres", "MONOTONIC")
"""How tests of the selftest begin that clocks of QEMU or of the host, or the host's mprotect(), fail."""


@cache
def made(arch: str, base: str, page: str) -> tuple[Path, int]:
    """Return the folder with the outputs for a base, and where the data page lies."""
    out = session_folder() / f"{arch}-{base}-{page}"
    words = (f"ARCH={arch}", f"BASE={GUESTS[arch].base(base)}", f"DATA_PAGE={page}")
    build(out, *words)
    if (base, page) == ("minimal", "after"):
        done = scons(f"OUT={out}", *words, f"{out}/vdso-selftest")
        assert done.returncode == 0, done.stdout + done.stderr
    return out, json.loads((out / "vdso.json").read_text())["data_offset"]


@pytest.mark.parametrize("page", ["after", "before"])
@pytest.mark.parametrize("base", ["minimal", "linux"])
@each_run
def test_reads_the_clock_without_a_system_call(guest: Guest, name: str, base: str, page: str, tmp_path: Path) -> None:
    out, offset = made(guest.arch.name, base, page)
    run = guest.launch(name, out / "vdso.so", offset, tmp_path / "log")
    assert run.status == 0
    assert run.said["served"] > 500
    assert "clock_gettime" in run.said
    assert system_calls(guest.runtimes[name], run) == ""


@pytest.mark.parametrize("option", ["--auxv=no", "--page=zero"])
@each_run
def test_the_count_can_tell(guest: Guest, name: str, option: str, tmp_path: Path) -> None:
    """Without a vDSO, and with one whose page nobody has initialised, each call is a system call, and the time is right."""
    runtime = guest.runtimes[name]
    out, offset = made(guest.arch.name, "minimal", "after")
    run = guest.launch(name, out / "vdso.so", offset, tmp_path / "log", option)
    assert run.status == 0
    calls = run.said["served"] * runtime.each + run.said["clock_gettime"]
    asked = run.clock_gettime + run.gettimeofday + run.time
    assert asked == calls if runtime.exact else asked >= calls
    assert run.clock_getres == run.said.get("getres_served", 0) + run.said.get("clock_getres", 0)


@each
def test_the_selftest_passes_where_the_arrangement_is_right(guest: Guest) -> None:
    out, offset = made(guest.arch.name, "minimal", "after")
    _, found = guest.selftest(out / "vdso.so", offset, out / "vdso-selftest")
    assert len(found) >= 35
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
@each
def test_the_selftest_says_what_is_wrong(guest: Guest, option: str, broken: str) -> None:
    out, offset = made(guest.arch.name, "minimal", "after")
    status, found = guest.selftest(out / "vdso.so", offset, out / "vdso-selftest", option)
    assert status == 1
    assert found[broken] is False
