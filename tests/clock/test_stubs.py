# SPDX-License-Identifier: MIT
"""The stubs by themselves, compiled and linked with no base around them, on a page that the kernel's side of C writes."""

from __future__ import annotations

import random
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import kernel_side
import pytest
from clock.clock_fixture import GETRES, GETTIME, GETTIMEOFDAY, Program
from exact_clock import HZ_MAX, HZ_MIN, LIFE, NOT_SERVED, NSEC, SERVED, UPTIME_CLOCKS, WALL_CLOCKS, Clock, error_ns
from kernel_side import DataPage
from stub_build import stubs
from stub_runner import BUFFER, MACHINES, CounterTrap
from vdso.arch import ARCHES
from vdso.arch.arch import Arch

SOME_HZ = (HZ_MIN, 10**6, 10**7, 24_000_000, 10**9, HZ_MAX)
"""At 1 MHz a row that is read beyond the last one seems to be valid."""


EACH = [ARCHES[name] for name in MACHINES]
each = pytest.mark.parametrize("arch", EACH, ids=MACHINES)


@pytest.fixture(
    scope="module", params=[(arch, page) for arch in EACH for page in ("after", "before")], ids=lambda p: f"{p[0].name}-{p[1]}"
)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Program:
    arch, page = request.param
    return Program(stubs(tmp_path_factory.mktemp("stubs"), page, arch=arch))


@pytest.fixture
def page(tmp_path_factory: pytest.TempPathFactory) -> DataPage:
    return DataPage(kernel_side.build(tmp_path_factory.mktemp("kernel")), stale=b"\xa5" * 4096)


def calls(program: Program, page: DataPage, name: str, *arguments: int, answer: int = 0) -> list[tuple[int, tuple[int, ...]]]:
    """Return the system calls of a call, by number and arguments."""
    program.machine.set_page(bytes(page))
    result = program.call(name, *arguments, counter=10**9, answer=answer)
    assert result.value == answer or not result.syscalls
    return [(number, given[: len(arguments)]) for number, given in result.syscalls]


def test_ids_without_a_row_ask_the_kernel_whatever_the_frequency(program: Program, page: DataPage) -> None:
    for hz in SOME_HZ:
        page.init(hz).set_realtime(5, 1_700_000_000, 3)
        for name in (GETTIME, GETRES):
            for clock in NOT_SERVED:
                made = calls(program, page, name, clock, BUFFER, answer=-22)
                assert [(nr, given[1]) for nr, given in made] == [(program.number(name), BUFFER)], (hz, name, clock)


@pytest.mark.parametrize(("tv", "tz"), [(0, 0), (0, BUFFER), (BUFFER, BUFFER + 64)])
def test_gettimeofday_without_a_place_or_with_a_time_zone_asks_the_kernel(
    program: Program, page: DataPage, tv: int, tz: int
) -> None:
    page.init(10**7).set_realtime(5, 1_700_000_000, 3)
    made = calls(program, page, GETTIMEOFDAY, tv, tz, answer=-14)
    assert made == [(program.number(GETTIMEOFDAY), (tv, tz))]


def test_served_ids_agree_with_the_model_and_with_the_kernel(program: Program, page: DataPage) -> None:
    chance = random.Random(11)
    for _ in range(60):
        hz = chance.choice([*SOME_HZ, chance.randint(HZ_MIN, HZ_MAX)])
        counter = chance.choice([0, chance.randint(0, hz), chance.randint(0, min(hz * LIFE, (1 << 64) - 1))])
        wall = (chance.randint(0, counter), chance.choice([0, -1, 2**32, -(2**33)]), chance.choice([0, NSEC - 1]))
        page.init(hz).set_realtime(*wall)
        model = Clock.init(hz).set_realtime(*wall)
        for clock in SERVED:
            shown, exact = program.read(page, clock, counter), model.time(clock, counter)
            assert shown is not None
            assert exact is not None
            assert -1 < error_ns(*shown, exact) < 1, (hz, counter, wall, clock)
            assert shown == page.read(clock, counter), "stub and system call disagree"
        program.machine.set_page(bytes(page))
        sec, nsec = program.gettime(0, counter=counter).words()
        assert program.call(GETTIMEOFDAY, BUFFER, 0, counter=counter).words() == (sec, nsec // 1000)


def test_who_has_no_time_asks_the_kernel(program: Program, page: DataPage) -> None:
    def asking() -> list[int]:
        return [clock for clock in SERVED if calls(program, page, GETTIME, clock, BUFFER)]

    page.init(10**7)
    assert asking() == sorted(WALL_CLOCKS)
    assert calls(program, page, GETTIMEOFDAY, BUFFER, 0)
    page.set_realtime(0, 1, 2)
    assert asking() == []
    page.begin()
    assert asking() == list(SERVED)
    page.end()
    page.disable()
    assert asking() == list(SERVED)


COUNTERS = [(arch, mmio) for arch in EACH for mmio in (False, True) if not mmio or arch.counter_page]


@pytest.mark.parametrize(("arch", "mmio"), COUNTERS, ids=lambda value: getattr(value, "name", "mmio" if value else "register"))
@pytest.mark.parametrize("compiler", ["", "clang-19"], ids=["gcc", "clang"])
def test_no_compiler_reads_a_counter_that_nobody_needs(
    compiler: str, arch: Arch, mmio: bool, page: DataPage, tmp_path: Path
) -> None:
    """On a machine where the read would end the program: before init, refused, without a wall clock, busy, disabled."""
    program = Program(stubs(tmp_path, "after", compiler=compiler, mmio=mmio, arch=arch))

    def asked(name: str, *arguments: int) -> bool:
        program.machine.set_page(bytes(page))
        return len(program.call(name, *arguments, counter=None).syscalls) == 1

    def all_ask(clocks: Iterable[int] = SERVED) -> bool:
        return all(asked(GETTIME, clock, BUFFER) for clock in clocks)

    page.init(HZ_MIN - 1)
    assert all_ask(), "refused: the page is zero"
    assert asked(GETTIMEOFDAY, BUFFER, 0)
    page.init(10**7)
    assert all_ask(WALL_CLOCKS)
    assert asked(GETTIMEOFDAY, BUFFER, 0)
    page.set_realtime(5, 1_700_000_000, 3)
    assert all_ask(NOT_SERVED)
    assert asked(GETTIMEOFDAY, BUFFER, BUFFER + 64)
    for clock in SERVED:
        assert not asked(GETRES, clock, BUFFER)
        with pytest.raises(CounterTrap):
            asked(GETTIME, clock, BUFFER)
    page.begin()
    assert all_ask()
    page.end()
    page.disable()
    assert all_ask()
    assert asked(GETTIMEOFDAY, BUFFER, 0)


def test_the_resolution_is_a_tick_rounded_up(program: Program, page: DataPage) -> None:
    for hz in SOME_HZ:
        page.init(hz).set_realtime(0, 0, 0)
        program.machine.set_page(bytes(page))
        for clock in SERVED:
            result = program.call(GETRES, clock, BUFFER)
            assert (result.value, result.syscalls, result.words()) == (0, (), (0, -(-NSEC // hz)))
            nowhere = program.call(GETRES, clock, 0)
            assert (nowhere.value, nowhere.syscalls) == (0, ())


PLAIN_HZ = (HZ_MIN, 32769, 10**6, 10**7, 12_345_678, 24_000_000, 99_999_989, 10**9 - 1, 10**9)
FAST_HZ = (10**9 + 1, 1_500_000_001, 2 * 10**9, 2_718_281_829, 3_646_987_810, HZ_MAX - 1, HZ_MAX)
"""Beyond 1 GHz the nanoseconds need more bits, and for the last three floor(c / hz) needs c + 1."""


@each
@pytest.mark.parametrize("hz", [*PLAIN_HZ, *FAST_HZ])
def test_without_a_page_the_last_tick_of_a_second_is_in_it(hz: int, arch: Arch, tmp_path: Path) -> None:
    """A second too early or a nanosecond too many shows there, in the first seconds and in the last of 136 years."""
    alone = Program(stubs(tmp_path, "none", hz, arch=arch))
    chance = random.Random(hz)
    last = min((1 << 32) - 1, ((1 << 64) - 1) // hz - 1)
    seconds = [0, 1, 2, 3, last - 1, last, *(1 << bit for bit in range(2, 32)), *(chance.randint(0, last) for _ in range(40))]
    for counter in (s * hz + tick for s in seconds if s <= last for tick in (0, 1, hz - 1, chance.randrange(hz))):
        result = alone.gettime(1, counter=counter)
        assert (result.value, result.syscalls) == (0, ())
        sec, nsec = result.words()
        off = error_ns(sec, nsec, Fraction(counter, hz))
        assert -1 < off < 1, (hz, counter, float(off))
        assert sec == counter // hz


@each
@pytest.mark.parametrize("hz", [HZ_MIN, 10**7, HZ_MAX])
def test_without_a_page_uptime_is_served_and_the_rest_asked(hz: int, arch: Arch, tmp_path: Path) -> None:
    alone = Program(stubs(tmp_path, "none", hz, arch=arch))
    for clock in UPTIME_CLOCKS:
        assert alone.gettime(clock, counter=5 * hz).words() == (5, 0)
        assert alone.call(GETRES, clock, BUFFER).words() == (0, -(-NSEC // hz))
    for clock in (*WALL_CLOCKS, *NOT_SERVED):
        for name in (GETTIME, GETRES):
            result = alone.call(name, clock, BUFFER, answer=-5)
            assert (result.value, [nr for nr, _ in result.syscalls]) == (-5, [alone.number(name)]), clock
            assert result.memory == b"\xa5" * 4096, "what the kernel answers is not touched"
    assert [nr for nr, _ in alone.call(GETTIMEOFDAY, BUFFER, 0).syscalls] == [alone.number(GETTIMEOFDAY)]
