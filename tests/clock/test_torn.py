# SPDX-License-Identifier: MIT
"""A reader beside a writer, both in program order: what it believes is wholly the old or wholly the new state.

The stores are those that vdso_data.h, compiled for riscv64, makes one by one; each load of the reader may see the page
after any of them. What the hardware may reorder beyond that is in test_memory_order.py.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable

import pytest
from clock.clock_fixture import GETTIMEOFDAY, Clockwork, Program, clockwork, without_check
from clock.writer_trace import Writer
from exact_clock import BOOTTIME, MONOTONIC, MONOTONIC_COARSE, MONOTONIC_RAW, NSEC, REALTIME, REALTIME_COARSE, SERVED, TAI
from kernel_side import DataPage
from stub_runner import BUFFER

HZ = 10**7
COUNTER = 10**12
LOADS = 7  # of clock_gettime: state, base, mult, floor, sec, state, giga
CLOCKS = (REALTIME, MONOTONIC, MONOTONIC_RAW, BOOTTIME, TAI)
COARSE = (REALTIME_COARSE, MONOTONIC_COARSE)

# The calls between two states that are published, and what was done to the page before.
LATER = 10**11
RUNNING = [("init", HZ), ("set_realtime", 5, 1_700_000_000, 999_999_999), ("set_tai_offset", 37)]
ASLEEP = [*RUNNING, ("begin",), ("suspend", LATER // 2), ("end",)]
UPDATES = {
    "init": ([], [("init", HZ)]),
    "set_realtime": (RUNNING, [("set_realtime", LATER, -9_000_000_000, 1)]),
    "first set_realtime": (RUNNING[:1], [("set_realtime", LATER, 9_000_000_000, 1)]),
    "set_tai_offset": (RUNNING, [("set_tai_offset", -40)]),
    "set_monotonic": (RUNNING, [("begin",), ("set_monotonic", LATER, 500_000_000, 999_999_999), ("end",)]),
    "adjust": (RUNNING, [("begin",), ("adjust", LATER, 99_999_999), ("end",)]),
    "suspend": (RUNNING, [("begin",), ("suspend", LATER), ("end",)]),
    "resume": (ASLEEP, [("begin",), ("resume", 77, 10**15 + 1), ("end",)]),
    "set_tick": (RUNNING, [("set_tick", LATER, 10**7)]),
    "tick": ([*RUNNING, ("set_tick", LATER // 2, 10**7)], [("tick", LATER)]),
    "disable": (RUNNING, [("disable",)]),
    "leap second": (RUNNING, [("begin",), ("set_realtime", LATER, 1_700_009_999, 0), ("set_tai_offset", 38), ("end",)]),
    "begin alone": (RUNNING, [("begin",)]),
}


class Torn(Exception):
    """A reader believed a mix of two states."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Clockwork:
    return clockwork(tmp_path_factory.mktemp("torn"))


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Writer:
    return Writer(tmp_path_factory.mktemp("writer"))


def after(writer: Writer, page: bytes, calls: Iterable[tuple]) -> bytes:
    for name, *arguments in calls:
        page = writer.call(name, page, *arguments)[1]
    return page


def stages(writer: Writer, page: bytes, calls: Iterable[tuple], clock: int) -> list[bytes]:
    """Return `page`, and the page after each store of `calls` that changes the row of `clock`."""
    row = slice(64 * clock, 64 * clock + 64)
    seen = [page]
    for name, *arguments in calls:
        stores, end = writer.call(name, page, *arguments)
        for store in stores:
            page = store.apply(page)
            if page[row] != seen[-1][row]:
                seen.append(page)
        assert page == end
    return seen


def answer(program: Program, clock: int, page: bytes, before_load: Callable[[int], bytes] | None = None) -> object:
    """Return the answer of clock_gettime; None if it asked the kernel."""
    program.machine.set_page(page)
    result = program.gettime(clock, counter=COUNTER, before_load=before_load)
    return None if result.syscalls else result.words()


def read_amid(program: Program, clock: int, pages: list[bytes], seen: tuple[int, ...], whole: set[object]) -> object:
    """Return the answer of a reader whose k-th load sees pages[seen[k]]. Torn unless it is one of `whole`, or the kernel's."""
    got = answer(program, clock, pages[0], lambda k: pages[seen[k]])
    if got is not None and got not in whole:
        raise Torn(seen, got)
    return got


def every_way(program: Program, clock: int, pages: list[bytes]) -> list[object]:
    """Return all answers of a reader whose loads fall between the stores in each possible way."""
    whole = {answer(program, clock, pages[0]), answer(program, clock, pages[-1])}
    ways = itertools.combinations_with_replacement(range(len(pages)), LOADS - 1)
    # giga is the last one and never changes on a live page: it sees what the load before it saw
    return [read_amid(program, clock, pages, (*way, way[-1]), whole) for way in ways]


@pytest.mark.parametrize(
    ("update", "clock"), [(update, clock) for update in UPDATES for clock in (COARSE if update == "tick" else CLOCKS)]
)
def test_no_reader_sees_half_an_update(made: Clockwork, writer: Writer, update: str, clock: int) -> None:
    before, calls = UPDATES[update]
    old = after(writer, bytes(4096), before)
    pages = stages(writer, old, calls, clock)
    assert len(pages) > 1, "the call does not touch this row: begin at least marks it"
    answers = every_way(made.program, clock, pages)
    assert None in answers, "no load met the writer: nothing was tried"
    assert set(answers) - {None} == {answer(made.program, clock, page) for page in (old, pages[-1])} - {None}


def test_no_reader_sees_half_of_two_updates(made: Clockwork, writer: Writer, full: bool) -> None:
    """A state that a reader slept through is not mistaken for the one it saw."""
    old = after(writer, bytes(4096), RUNNING)
    first, second = UPDATES["adjust"][1], UPDATES["set_monotonic"][1]
    pages = stages(writer, old, [*first, *second], MONOTONIC)
    between = stages(writer, old, first, MONOTONIC)[-1]
    whole = {answer(made.program, MONOTONIC, page) for page in (old, between, pages[-1])}
    assert len(whole) == 3
    chance = random.Random(4)
    for _ in range(100_000 if full else 3000):
        read_amid(made.program, MONOTONIC, pages, tuple(sorted(chance.choices(range(len(pages)), k=LOADS))), whole)


def test_gettimeofday_sees_no_half_of_an_update(made: Clockwork, writer: Writer) -> None:
    before, calls = UPDATES["set_realtime"]
    pages = stages(writer, after(writer, bytes(4096), before), calls, REALTIME)
    whole = set()
    for page in (pages[0], pages[-1]):
        sec, nsec = answer(made.program, REALTIME, page)
        whole.add((sec, nsec // 1000))
    met = 0
    for way in itertools.combinations_with_replacement(range(len(pages)), LOADS - 1):
        seen = (*way, way[-1])
        made.program.machine.set_page(pages[0])
        got = made.program.call(GETTIMEOFDAY, BUFFER, 0, counter=COUNTER, before_load=lambda k, seen=seen: pages[seen[k]])
        met += bool(got.syscalls)
        assert got.syscalls or got.words() in whole
    assert met


@pytest.mark.parametrize("update", ["set_realtime", "set_monotonic", "adjust", "suspend", "resume"])
def test_without_the_check_readers_do_see_half_an_update(made: Clockwork, writer: Writer, update: str) -> None:
    """So that the tests above can fail."""
    before, calls = UPDATES[update]
    clock = {"set_realtime": REALTIME, "resume": BOOTTIME}.get(update, MONOTONIC)
    pages = stages(writer, after(writer, bytes(4096), before), calls, clock)
    with pytest.raises(Torn):
        every_way(Program(without_check(made.program.stubs)), clock, pages)


@pytest.mark.parametrize("update", UPDATES)
def test_a_kernel_for_riscv64_and_this_machine_write_the_same_page(made: Clockwork, writer: Writer, update: str) -> None:
    before, calls = UPDATES[update]
    page = DataPage(made.c)
    for name, *arguments in [*before, *calls]:
        getattr(page, name)(*arguments)
    assert after(writer, bytes(4096), [*before, *calls]) == bytes(page)


def test_states_only_ever_go_down(made: Clockwork) -> None:
    """However long a reader sleeps between its two loads of a state, it believes the row only if nobody wrote."""
    page = DataPage(made.c).init(HZ)
    lowest = dict.fromkeys(SERVED, 0)  # of the states that were valid, which are negative
    last = dict.fromkeys(SERVED, 0)
    fresh = 0

    def look() -> None:
        nonlocal fresh
        for clock in SERVED:
            state = int.from_bytes(bytes(page)[64 * clock : 64 * clock + 8], "little", signed=True)
            if state < 0 and state != last[clock]:
                assert state < lowest[clock], "a reader would believe a mix"
                lowest[clock] = state
                fresh += 1
            last[clock] = state

    for i in range(20):
        page.begin()
        look()
        page.set_realtime(i, i, i % NSEC)
        page.adjust(i, i)
        page.end()
        look()
        page.set_tick(i, 10**7)
        look()
        page.tick(i)
        look()
    assert fresh > 20 * len(SERVED)
    page.disable()
    look()
    assert min(last.values()) >= 0
