# SPDX-License-Identifier: MIT
"""Any sequence of writer calls: stub, C `read`, Rust `read` and the exact model agree, within the bounds of the design."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from clock.clock_fixture import Clockwork, broken_header, clockwork
from exact_clock import (
    BOOTTIME,
    FRESH_NS,
    HZ_MAX,
    HZ_MIN,
    LIFE,
    MONOTONIC,
    MONOTONIC_COARSE,
    MONOTONIC_RAW,
    NOT_SERVED,
    NSEC,
    PPB_MAX,
    REALTIME,
    REALTIME_COARSE,
    REBASED_NS,
    SERVED,
    TAI,
    UPTIME_CLOCKS,
    WALL_CLOCKS,
    Clock,
    error_ns,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kernel_side import DataPage


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Clockwork:
    return clockwork(tmp_path_factory.mktemp("clock"))


WORST_MULT, WORST_BASE = 5_799_996_906, 2_362_232_019
"""Frequencies at which `mult` has the fewest bits and is furthest off, and at which the base is rounded most."""
CHANGES = ("set_realtime", "set_monotonic", "adjust", "suspend", "resume", "set_tick", "tick")
"""Calls that may be refused, and say so."""


class Machine:
    """Page of C, page of Rust and model, kept in step; `counter` is what the machine has come to."""

    def __init__(self, made: Clockwork, hz: int) -> None:
        self.made, self.hz = made, hz
        self.pages = [DataPage(library, stale=b"\xa5" * 4096).init(hz) for library in (made.c, made.rust)]
        self.model = Clock.init(hz)
        assert {page.refused for page in self.pages} == {not self.model.hz}
        self.counter = self.elapsed = 0
        self.rebased = False

    def go(self, share: float) -> None:
        """Let a share of the rest of the machine's life pass."""
        ticks = int(share * (LIFE * (self.hz or 1) - self.elapsed))
        self.counter, self.elapsed = self.counter + ticks, self.elapsed + ticks

    def do(self, name: str, *arguments: int) -> None:
        shown = self.pages[0].read(MONOTONIC, self.counter)
        for page in self.pages:
            getattr(page, name)(*arguments)
        assert bytes(self.pages[0]) == bytes(self.pages[1]), f"C and Rust write another page: {name}{arguments}"
        more = (shown,) if name == "set_monotonic" and shown else ()
        before = self.model
        if name != "set_monotonic" or shown:
            self.model = getattr(self.model, name)(*arguments, *more)
            self.rebased |= name in ("adjust", "suspend") and self.model != before
        if name in CHANGES:
            assert {page.refused for page in self.pages} == {self.model is before}, f"{name}{arguments}"

    def check(self, counter: int) -> Fraction:
        """Check every clock by every way to read it, and return the worst error in nanoseconds."""
        worst = Fraction(0)
        for clock in SERVED:
            exact = self.model.time(clock, counter)
            times = [page.read(clock, counter) for page in self.pages]
            stub = self.made.program.read(self.pages[0], clock, counter)
            assert (stub is not None) == self.model.served(clock), "who is served without the kernel"
            if exact is None:
                assert times == [None, None]
                assert [page.getres(clock) for page in self.pages] == [None, None]
                continue
            assert times[0] is not None
            assert times[0] == times[1]
            assert stub in (None, times[0]), "vDSO and system call disagree"
            error = error_ns(*times[0], exact)
            assert abs(error) < (REBASED_NS if self.rebased else FRESH_NS), (clock, counter, float(error))
            assert [page.getres(clock) for page in self.pages] == [(0, self.model.resolution_ns(clock))] * 2
            worst = max(worst, abs(error))
        return worst


SHARE = st.sampled_from([0.0, 1e-15, 1e-9, 1e-3, 0.3]) | st.floats(0, 0.5)
SECONDS = st.sampled_from([0, -1, -(2**31), 2**31, 2**32, 4294967295, -(2**62), 2**62]) | st.integers(-(2**34), 2**34)
NANOSECONDS = st.sampled_from([0, 1, NSEC - 1, NSEC, 2**32 - 1]) | st.integers(0, NSEC - 1)
PPB = st.sampled_from([0, 1, -1, PPB_MAX, -PPB_MAX, PPB_MAX + 1, -PPB_MAX - 1, 2**63 - 1, -(2**63)]) | st.integers(
    -(10**6), 10**6
)
SLEPT = st.sampled_from([0, 1, NSEC - 1, NSEC, 2**64 - 1]) | st.integers(0, 10**18)
HZ = (
    st.sampled_from([HZ_MIN, HZ_MAX, 10**6, 10**7, 24 * 10**6, 10**9, 2 * 10**9, 2 * 10**9 - 1, 4_294_967_297, 5_799_999_999])
    | st.integers(HZ_MIN, HZ_MAX)
    | st.floats(15, 32.43).map(lambda x: int(2**x))
)
CALLS = st.lists(
    st.tuples(
        SHARE,
        st.one_of(
            st.just(("begin",)),
            st.just(("end",)),
            st.tuples(st.just("set_realtime"), SECONDS, NANOSECONDS),
            st.tuples(st.just("set_tai_offset"), st.sampled_from([0, 37, -40, 2**31 - 1, -(2**31)])),
            st.tuples(st.just("forward"), st.sampled_from([0, 1, -1, NSEC, -NSEC]) | st.integers(-(10**12), 10**18)),
            st.tuples(st.just("set_monotonic"), SECONDS, NANOSECONDS),
            st.tuples(st.just("adjust"), PPB),
            st.just(("suspend",)),
            st.tuples(st.just("resume"), SLEPT),
            st.tuples(st.just("set_tick"), st.sampled_from([0, 10**6, 10**7, NSEC - 1, NSEC, 2**32 - 1])),
            st.just(("tick",)),
            st.just(("disable",)),
        ),
    ),
    min_size=1,
    max_size=14,
)


def play(machine: Machine, calls: list, share: float) -> None:
    for ahead, (name, *arguments) in calls:
        machine.go(ahead)
        if name == "forward":
            shown = machine.pages[0].read(MONOTONIC, machine.counter) or (0, 0)
            ns = max(shown[0] * NSEC + shown[1] + arguments[0], 0)
            machine.do("set_monotonic", machine.counter, ns // NSEC, ns % NSEC)
        elif name in CHANGES:
            machine.do(name, machine.counter, *arguments)
        else:
            machine.do(name, *arguments)
        machine.check(machine.counter)
    machine.go(share)
    machine.check(machine.counter)
    machine.check(max(machine.counter - 3, 0))


def examples(count: int, full: bool) -> settings:
    return settings(
        max_examples=count * (100 if full else 1),
        derandomize=not full,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def test_any_sequence_of_calls(made: Clockwork, full: bool) -> None:
    @examples(250, full)
    @given(HZ, CALLS, SHARE)
    def run(hz: int, calls: list, share: float) -> None:
        play(Machine(made, hz), calls, share)

    run()


def test_updates_under_begin_and_end(made: Clockwork, full: bool) -> None:
    """As above, but always under way, so that no call is refused for that, and published at the end."""

    @examples(150, full)
    @given(HZ, CALLS, SHARE)
    def run(hz: int, calls: list, share: float) -> None:
        machine = Machine(made, hz)
        machine.do("set_realtime", 0, 1_700_000_000, 5)
        for call in calls:
            machine.do("begin")
            play(machine, [call], 0.0)
            while machine.model.depth:
                machine.do("end")
            machine.check(machine.counter)
        machine.go(share)
        machine.check(machine.counter)

    run()


def test_within_a_nanosecond_for_a_hundred_years(made: Clockwork, full: bool) -> None:
    chance = random.Random(11)
    worst = Fraction(0)
    for _ in range(20_000 if full else 500):
        hz = chance.choice(
            [HZ_MIN, HZ_MAX, WORST_MULT, WORST_BASE, int(2 ** chance.uniform(15, 32.43)), chance.randint(HZ_MIN, HZ_MAX)]
        )
        machine = Machine(made, hz)
        machine.go(chance.random())
        wall = (chance.randint(-(2**33), 2**33), chance.choice([0, NSEC - 1, chance.randrange(NSEC)]))
        machine.do("set_realtime", machine.counter, *wall)
        worst = max(worst, machine.check(chance.randint(machine.counter, LIFE * hz)))
    assert worst > Fraction(85, 100), "the dice must have come near the bound"


def adjusts(made: Clockwork, hz: int, count: int) -> Fraction:
    chance = random.Random(hz)
    machine = Machine(made, hz)
    machine.do("set_realtime", 0, 1_700_000_000, 0)
    worst = Fraction(0)
    for i in range(count):
        machine.counter += chance.randint(1, 2 * hz)
        machine.do("begin")
        machine.do("adjust", machine.counter, chance.randint(-500_000, 500_000))
        machine.do("end")
        if i % 100 == 99:
            worst = max(worst, machine.check(machine.counter + chance.randint(0, hz)))
    return worst


@pytest.mark.parametrize("hz", [HZ_MIN, 10**7, 999_999_937, HZ_MAX])
def test_nothing_adds_up_in_20000_adjusts(made: Clockwork, hz: int) -> None:
    assert Fraction(7, 10) < adjusts(made, hz, 20_000) < FRESH_NS


def years(made: Clockwork, hz: int) -> None:
    """Read a wall clock that was set at any nanosecond, soon and after a hundred years."""
    chance = random.Random(hz)
    for _ in range(1000):
        start = (chance.randrange(hz), 1_700_000_000, chance.randrange(NSEC))
        page, model = DataPage(made.c).init(hz).set_realtime(*start), Clock.init(hz).set_realtime(*start)
        for counter in (start[0] + chance.randrange(hz), *(LIFE * hz - chance.randrange(hz) for _ in range(5))):
            shown, exact = page.read(REALTIME, counter), model.time(REALTIME, counter)
            assert shown is not None
            assert exact is not None
            assert abs(error_ns(*shown, exact)) < FRESH_NS, (start, counter)


@pytest.mark.parametrize("hz", [WORST_MULT, WORST_BASE])
def test_the_worst_frequencies(made: Clockwork, hz: int) -> None:
    years(made, hz)


def sleeps(made: Clockwork) -> None:
    machine = Machine(made, 10**7)
    calls = (("set_realtime", 10**9, 5), ("suspend",), ("resume", 3), ("adjust", 10**6), ("suspend",), ("resume", 0))
    for i, (name, *arguments) in enumerate(calls, 1):
        machine.do("begin")
        machine.do(name, 10**8 * i, *arguments)
        machine.do("end")
        machine.check(10**8 * (i + 1))
        machine.check(0)


# What is broken in a copy of vdso_data.h, and where that shows.
BROKEN = {
    "the fraction is lost": ("line->fraction = (uint64_t)time;", "line->fraction = 0;",
                             lambda made: adjusts(made, 10**7, 20_000)),
    "mult rounded down": (" + divisor / 2, divisor)", ", divisor)", lambda made: years(made, WORST_MULT)),
    "ticks rounded down": (" + row->mult / 2, row->mult)", ", row->mult)", lambda made: years(made, WORST_BASE)),
    "not to the nearest nanosecond": ("9223372037u + ", "", lambda made: years(made, 12_345_678)),
    "RAW is adjusted": (" && clock != VDSO_MONOTONIC_RAW", "", lambda made: adjusts(made, 10**7, 100)),
    "adjust jumps": ("vdso_data_rebase(d, clock, counter);\n\tVDSO_STORE(row->mult, mult);",
                     "VDSO_STORE(row->mult, mult);", lambda made: adjusts(made, 10**7, 100)),
    "no clamp at the base": ("\t\tunits = floor;", "\t\tunits = units;", sleeps),
    "TAI does not sleep": ("VDSO_SLEEP_CLOCKS 0x8a1u", "VDSO_SLEEP_CLOCKS 0x0a1u", sleeps),
    "resume forgets the rate": ("? nominal : d->rate", "? nominal : nominal", sleeps),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_header_is_caught(made: Clockwork, tmp_path: Path, what: str) -> None:
    """So that the tests above can fail; the page of C is both pages, lest the comparison with Rust catches it first."""
    old, new, play_it = BROKEN[what]
    library = broken_header(tmp_path, old, new)
    with pytest.raises(AssertionError):
        play_it(replace(made, c=library, rust=library))


@pytest.mark.parametrize("hz", [0, 1, HZ_MIN - 1, HZ_MAX + 1, 2**63, 2**64 - 1])
def test_a_refused_frequency_leaves_a_page_that_serves_nothing(made: Clockwork, hz: int) -> None:
    machine = Machine(made, hz)
    assert bytes(machine.pages[0]) == bytes(4096)
    machine.do("set_realtime", 1, 2, 3)
    machine.do("set_tai_offset", 37)
    machine.do("set_tick", 1, 10**7)
    machine.do("tick", 1)
    machine.do("begin")
    begun = [bytes(page) for page in machine.pages]
    for call in (("adjust", 1, 1), ("suspend", 1), ("resume", 1, 1), ("set_monotonic", 1, 2, 3)):
        machine.do(*call)
        assert [bytes(page) for page in machine.pages] == begun, call
    machine.do("end")
    machine.do("disable")
    assert [bytes(page) for page in machine.pages] == [bytes(4096)] * 2
    machine.check(10**9)


OUTSIDE = [("set_monotonic", 9, 10**6, 0), ("adjust", 9, 5), ("suspend", 9), ("resume", 9, 5)]


@pytest.mark.parametrize("call", OUTSIDE, ids=lambda call: call[0])
def test_what_moves_monotonic_does_nothing_outside_begin_and_end(made: Clockwork, call: tuple) -> None:
    for library in (made.c, made.rust):
        page = DataPage(library).init(10**7).set_realtime(1, 2, 3)
        before = bytes(page)
        getattr(page, call[0])(*call[1:])
        assert page.refused
        assert bytes(page) == before


REFUSED = [
    ("set_realtime", 9, 5, NSEC),
    ("set_realtime", 9, 5, 2**32 - 1),
    ("set_monotonic", 10**8, 10**6, NSEC),
    ("set_monotonic", 10**8, 9, NSEC - 1),
    ("set_monotonic", 10**8, -1, 5),
    ("adjust", 9, PPB_MAX + 1),
    ("adjust", 9, -PPB_MAX - 1),
    ("adjust", 9, 2**63 - 1),
    ("adjust", 9, -(2**63)),
    ("resume", 9, 5),
    ("set_tick", 9, 0),
    ("set_tick", 9, 99),
    ("set_tick", 9, NSEC),
    ("tick", 9),
]


@pytest.mark.parametrize("call", REFUSED, ids=str)
def test_what_is_out_of_range_changes_nothing(made: Clockwork, call: tuple) -> None:
    for library in (made.c, made.rust):
        page = DataPage(library).init(10**7).set_realtime(1, 2, 3)
        page.begin()
        before = bytes(page)
        getattr(page, call[0])(*call[1:])
        assert page.refused
        depth = slice(792, 800)  # of the page's own begin in the Rust guard
        assert bytes(page)[: depth.start] == before[: depth.start]
        same = {clock: page.read(clock, 10**8) for clock in SERVED}
        page.end()
        assert {clock: page.read(clock, 10**8) for clock in SERVED} == same


def test_the_far_ends_of_ppb_and_of_the_counter(made: Clockwork) -> None:
    for ppb in (PPB_MAX, -PPB_MAX):
        for hz in (HZ_MIN, 2 * 10**9, HZ_MAX):
            machine = Machine(made, hz)
            machine.do("begin")
            machine.do("adjust", 0, ppb)
            machine.do("end")
            machine.check(LIFE * hz)
            assert machine.model.time(MONOTONIC, LIFE * hz) == Fraction(LIFE * (NSEC + ppb), NSEC)


def test_sleep(made: Clockwork) -> None:
    """MONOTONIC and RAW stand still, the others get what was slept; the counter may start anew."""
    page = DataPage(made.c).init(10**7).set_realtime(0, 1000, 0)
    page.begin()
    page.suspend(50 * 10**7)
    page.end()
    for counter in (0, 50 * 10**7, 10**12):
        assert page.read(MONOTONIC, counter) == page.read(MONOTONIC_RAW, counter) == page.read(BOOTTIME, counter) == (50, 0)
        assert page.read(REALTIME, counter) == (1050, 0)
    page.begin()
    page.resume(7, 3 * NSEC + 5)
    page.end()
    assert page.read(MONOTONIC, 7 + 10**7) == page.read(MONOTONIC_RAW, 7 + 10**7) == (51, 0)
    assert page.read(BOOTTIME, 7 + 10**7) == (54, 5)
    assert page.read(REALTIME, 7 + 10**7) == page.read(TAI, 7 + 10**7) == (1054, 5)


def test_other_ids_are_never_read(made: Clockwork) -> None:
    page = DataPage(made.c).init(10**7).set_realtime(0, 1000, 0)
    for clock in NOT_SERVED:
        assert page.read(clock, 10**9) is None
        assert page.getres(clock) is None
        assert made.program.read(page, clock, 10**9) is None


def test_init_clears_the_whole_page(made: Clockwork) -> None:
    for library in (made.c, made.rust):
        page = DataPage(library, b"\xff" * 4096).init(10**7)
        assert bytes(page) == bytes(DataPage(library).init(10**7))
        used = 64 * 12 + 8 * 10 + 24 * 12
        assert bytes(page)[used:] == bytes(4096 - used)


def test_coarse_clocks_stand_between_ticks(made: Clockwork) -> None:
    page = DataPage(made.c).init(10**7).set_realtime(0, 1000, 0).set_tick(5 * 10**7, 4_000_000)
    assert page.read(MONOTONIC_COARSE, 9 * 10**7) == (5, 0)
    assert page.read(REALTIME_COARSE, 9 * 10**7) == (1005, 0)
    assert page.getres(MONOTONIC_COARSE) == page.getres(REALTIME_COARSE) == (0, 4_000_000)
    assert page.getres(MONOTONIC) == (0, 100)
    page.tick(6 * 10**7)
    page.tick(55 * 10**6)  # another hart's counter is behind
    assert page.read(MONOTONIC_COARSE, 9 * 10**7) == made.program.read(page, MONOTONIC_COARSE, 9 * 10**7) == (6, 0)
    page.set_realtime(7 * 10**7, 500, 3)
    assert page.read(REALTIME_COARSE, 9 * 10**7) == made.program.read(page, REALTIME_COARSE, 9 * 10**7) == (500, 3)


def test_a_tick_touches_no_other_row(made: Clockwork) -> None:
    page = DataPage(made.c).init(10**7).set_realtime(0, 1000, 0).set_tick(5, 10**7)
    before = bytes(page)
    page.tick(10**7)
    changed = {at // 64 for at in range(64 * 12) if bytes(page)[at] != before[at]}
    assert changed == {MONOTONIC_COARSE, REALTIME_COARSE}


@pytest.mark.parametrize("hz", [HZ_MIN, 10**7, 2_362_232_012, 2_362_232_013, HZ_MAX])
@pytest.mark.parametrize("ppb", [0, PPB_MAX, -PPB_MAX])
def test_a_counter_that_is_far_behind_reads_as_the_base(made: Clockwork, hz: int, ppb: int) -> None:
    """By at least 230 days, and beside that a century is left."""
    base = 230 * 24 * 3600 * hz
    machine = Machine(made, hz)
    for name, *arguments in (("begin",), ("adjust", base, ppb), ("set_realtime", base, 1_700_000_000, 5), ("end",)):
        machine.do(name, *arguments)
    machine.check(0)
    for clock in (MONOTONIC, REALTIME):
        exact, shown = machine.model.time(clock, base + LIFE * hz), machine.pages[0].read(clock, base + LIFE * hz)
        assert abs(error_ns(*shown, exact)) < REBASED_NS


def test_the_wall_clocks_wait_for_set_realtime(made: Clockwork) -> None:
    machine = Machine(made, 10**7)
    machine.do("set_tai_offset", 37)
    assert [clock for clock in SERVED if machine.model.served(clock)] == sorted(UPTIME_CLOCKS)
    machine.check(10**9)
    machine.do("set_realtime", 0, 100, 0)
    machine.check(10**9)
    assert {machine.pages[0].read(clock, 0) for clock in WALL_CLOCKS} == {(100, 0), (137, 0)}
