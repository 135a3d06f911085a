# SPDX-License-Identifier: MIT
"""The kernel's side of an image without a data page, in C and in Rust: to the nanosecond what the vDSO of that image reads."""

from __future__ import annotations

import ctypes
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import pytest
from exact_clock import HZ_MAX, HZ_MIN, NOT_SERVED, UPTIME_CLOCKS, WALL_CLOCKS, error_ns
from kernel_side import build_rust, build_without_page
from scons_build import build
from stub_runner import BUFFER, Machine

# The ends, each of the three ways to make nanoseconds (whole, 31 bits, 64 bits) and where they meet, and both ways to divide.
FREQUENCIES = (HZ_MIN, 3_000_000, 10_000_000, 12_345_678, 999_999_999, 10**9, 10**9 + 1, 2_400_000_001, HZ_MAX)
SECONDS = 1 << 32  # for so long the stub is exact
ROUNDS = 250
LANGUAGES = ("C", "Rust")


@dataclass(frozen=True)
class Made:
    machine: Machine
    symbols: dict[str, int]
    kernels: dict[str, ctypes.CDLL]

    def vdso(self, name: str, clock: int, **more: int) -> tuple[int, ...] | None:
        """Return what a program gets, None if its function asks the kernel."""
        result = self.machine.call(self.symbols[name], clock, BUFFER, answer=-22, **more)
        return None if result.syscalls else result.words()


@pytest.fixture(scope="module", params=FREQUENCIES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Made]:
    hz = request.param
    folder = tmp_path_factory.mktemp("none")
    out = build(folder / "out", "BASE=minimal", "DATA_PAGE=none", f"TIMEBASE_HZ={hz}")
    facts = json.loads((out / "vdso.json").read_text())
    symbols = {export["name"].removeprefix("__vdso_"): export["address"] for export in facts["exports"]}
    kernels = {
        "C": build_without_page(folder, out / "vdso.h"),
        "Rust": build_rust(folder, out / "vdso.rs", "kernel_without_page.rs"),
    }
    return hz, Made(Machine((out / "vdso.so").read_bytes()), symbols, kernels)


def answer(function: object, *arguments: object) -> tuple[int, int] | None:
    """Return (sec, nsec) that a function of the kernel gives; None where it refuses, which must change nothing."""
    sec, nsec = ctypes.c_int64(-77), ctypes.c_uint32(77)
    status = function(*arguments, ctypes.byref(sec), ctypes.byref(nsec))  # type: ignore[operator]
    if status == -1:
        assert (sec.value, nsec.value) == (-77, 77)
        return None
    assert status == 0
    return sec.value, nsec.value


def counters(hz: int) -> Iterator[int]:
    """Yield counters of the time for which the stub is exact, most of them beside a second or a nanosecond that begins."""
    last = min(hz * SECONDS, 1 << 64) - 1
    chance = random.Random(hz)
    yield from (0, 1, hz - 1, hz, hz + 1, last - 1, last)
    for _ in range(ROUNDS):
        second = chance.randrange(chance.choice([2, 10**6, last // hz])) * hz
        yield second + chance.choice([0, 1, hz - 1, chance.randrange(hz)])
        yield second + min(hz - 1, -(-chance.randrange(10**9) * hz // 10**9))
        yield chance.randint(0, last)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_kernel_reads_what_the_vdso_reads(made: tuple[int, Made], language: str) -> None:
    hz, clock = made
    kernel = clock.kernels[language]
    for counter in counters(hz):
        read = answer(kernel.k_read, 1, ctypes.c_uint64(counter))
        assert read == clock.vdso("clock_gettime", 1, counter=counter), (hz, counter)
        assert read is not None
        assert -1 < error_ns(*read, Fraction(counter, hz)) < 1, (hz, counter)
        assert read[1] < 10**9


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_clock_is_served_by_both_or_by_neither(made: tuple[int, Made], language: str) -> None:
    hz, clock = made
    kernel, counter = clock.kernels[language], 12345 * hz + 7
    for each in (*UPTIME_CLOCKS, *WALL_CLOCKS, *NOT_SERVED):
        read, resolution = answer(kernel.k_read, each, ctypes.c_uint64(counter)), answer(kernel.k_getres, each)
        assert (read is not None) == (resolution is not None) == (each in UPTIME_CLOCKS), each
        assert read == clock.vdso("clock_gettime", each, counter=counter), each
        assert resolution == clock.vdso("clock_getres", each), each


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_kernel_goes_on_where_the_vdso_is_no_longer_exact(made: tuple[int, Made], language: str) -> None:
    """All of the counter's 64 bits are a time to the kernel; nobody knows that long before what a program reads then."""
    hz, clock = made
    last = (1 << 64) - 1
    read = answer(clock.kernels[language].k_read, 1, ctypes.c_uint64(last))
    assert read is not None
    assert read[0] == last // hz
    assert 0 <= read[1] - last % hz * 10**9 // hz <= 1
