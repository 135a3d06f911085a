# SPDX-License-Identifier: MIT
"""The order of memory: what readers on other harts can see of an update, by RVWMO, in the code that compilers emit.

docs/memory-order.md has the argument; here it is enumerated. "Never" is over all executions of a scenario; each fence
is then taken away, whole and by the letter, and the "sometimes" that follows is told by what becomes possible.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from arch.riscv64.rvwmo import Fence
from linked_code import DATA
from memory_order.order_scenarios import (
    Call,
    Scenario,
    Weak,
    clock_getres,
    clock_gettime,
    gettimeofday,
    system_call,
    tell,
    told,
    update,
)
from memory_order.order_world import EMPTY, HZ, ROW, World
from memory_order.rust_kernel import compile_rust
from scons_build import build

REALTIME, MONOTONIC, MONOTONIC_COARSE, SERVED = 0, 1, 6, (1, 0, 11, 4, 5, 6, 7)
VALID = 0x80  # in the last byte of the state of a row: its sign
# The kernel's side as two generations of compilers emit it: gcc before 14 makes a full fence of a release fence, later
# ones and clang make `fence rw,w`. The second is the weaker code.
PLAIN = ('-D__atomic_thread_fence(o)=__asm__ volatile("fence rw,w" ::: "memory")',)
BUILDS = {"as-emitted": (), "as-gcc-14": PLAIN, "rust": PLAIN, "mmio-of-a-device": PLAIN, "mmio-of-memory": PLAIN}
LETTERS = {"mmio-of-a-device": "i", "mmio-of-memory": "r"}

INIT = update("bare_init", HZ)
RUNNING = (INIT, update("update_set_tai_offset", 36), update("update_set_realtime", 10**9, 5))
SLOWER, FASTER = update("update_adjust", -(10**8)), update("update_adjust", 10**8)
SET_TICK, TICK = update("update_set_tick", 10**7), update("bare_tick")
SUSPEND, RESUME = update("update_suspend"), update("update_resume", 10**10)
# (what was done to the page before, updates one after the other)
UPDATES: dict[str, tuple[tuple[Call, ...], tuple[Call, ...]]] = {
    "init": ((), (INIT,)),
    "set_realtime": (RUNNING, tuple(update("update_set_realtime", 10**9 * n, 7 * n) for n in (2, 3, 4))),
    "set_realtime-alone": (RUNNING, tuple(update("bare_set_realtime", 10**9 * n, 7 * n) for n in (2, 3, 4))),
    "set_tai_offset": (RUNNING, tuple(update("update_set_tai_offset", n) for n in (37, 38, 39))),
    "set_tai_offset-alone": (RUNNING, tuple(update("bare_set_tai_offset", n) for n in (37, 38, 39))),
    "set_monotonic": (RUNNING, tuple(update("update_set_monotonic", 10**6 * n, 7 * n) for n in (1, 2, 3))),
    "adjust": (RUNNING, (SLOWER, FASTER, SLOWER)),
    "suspend": (RUNNING, (SUSPEND, RESUME, SUSPEND)),
    "resume": ((*RUNNING, SUSPEND), (RESUME, SLOWER, SUSPEND)),
    "set_tick": (RUNNING, tuple(update("update_set_tick", n) for n in (10**6, 10**7, 10**8))),
    "tick": ((*RUNNING, SET_TICK), (update("update_tick"),) * 3),
    "tick-alone": ((*RUNNING, SET_TICK), (TICK,) * 3),
    "disable": (RUNNING, (update("update_disable"),)),
}
MOVES_MONOTONIC = ("set_monotonic", "adjust", "suspend", "resume")


@pytest.fixture(scope="module", params=BUILDS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    if request.param == "rust":
        return request.getfixturevalue("rust")  # type: ignore[no-any-return]
    return World(tmp_path_factory.mktemp("order"), BUILDS[request.param], mmio=LETTERS.get(request.param, ""))


@pytest.fixture(scope="module")
def rust(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return the world whose updates are those of vdso.rs."""
    folder = tmp_path_factory.mktemp("rust")
    module = build(folder / "blob", "BASE=minimal") / "vdso.rs"
    return World(folder / "world", PLAIN, compile_rust(folder, module))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("plain"), PLAIN)


def changed(world: World, before: tuple[Call, ...], updates: tuple[Call, ...]) -> list[int]:
    """Return the clocks, of those that are served in the end, whose rows do not stay as they are."""
    pages = [world.page(*before, *updates[:n]) for n in range(len(updates) + 1)]
    rows = {clock: {page[ROW * clock + 8 : ROW * clock + ROW] for page in pages} for clock in SERVED}
    valid = [clock for clock in SERVED if pages[-1][ROW * clock + 7] & VALID]
    return [clock for clock in valid if len(rows[clock]) > 1] or [MONOTONIC]


def readers(clock: int) -> list[Call]:
    return [clock_gettime(clock), gettimeofday()] if clock == REALTIME else [clock_gettime(clock)]


@pytest.mark.parametrize("name", UPDATES)
def test_no_reader_believes_a_mix(world: World, name: str, full: bool) -> None:
    before, updates = UPDATES[name]
    updates = updates if full else updates[:2]
    start = world.page(*before)
    clocks = changed(world, before, updates)
    for clock in clocks if full else clocks[:1]:
        for reader in [*readers(clock), *([clock_getres(clock)] if name == "init" else [])]:
            verdict = world.verdict(Scenario(start, (updates, (reader,))))
            assert verdict.answers, (clock, reader)
            assert not verdict.mix, (clock, reader)


@pytest.mark.parametrize("name", ["set_realtime", "adjust"])
def test_a_writer_that_dies_leaves_no_mix(world: World, name: str) -> None:
    before, (call, *_) = UPDATES[name]
    start = world.page(*before)
    clock = changed(world, before, (call,))[0]
    row = range(DATA + ROW * clock, DATA + ROW * clock + ROW)
    deaths = [n for n, step in enumerate(world.steps(call, start), 1) if step.stores and step.address in row]
    assert len(deaths) >= 5
    for lives in deaths[:-1]:
        verdict = world.verdict(Scenario(start, ((replace(call, lives=lives),), (clock_gettime(clock),))))
        assert verdict.answers
        assert not verdict.mix, lives


def twice(start: bytes, *updates: Call, clock: int = MONOTONIC) -> Scenario:
    """Return the scenario in which one hart reads twice."""
    return Scenario(start, (updates, (clock_gettime(clock), clock_gettime(clock))), (((1, 0), (1, 1)),))


def passed_on(start: bytes, *updates: Call, clock: int = MONOTONIC) -> Scenario:
    """Return the scenario in which a hart reads and tells another, which then reads."""
    harts = (updates, (clock_gettime(clock), tell(0)), (told(0), clock_gettime(clock)))
    return Scenario(start, harts, (((1, 0), (2, 1)),))


@pytest.mark.parametrize("scenario", [twice, passed_on])
@pytest.mark.parametrize("name", MOVES_MONOTONIC)
def test_monotonic_never_goes_back(world: World, name: str, scenario: object, full: bool) -> None:
    before, updates = UPDATES[name]
    verdict = world.verdict(scenario(world.page(*before), *updates[: 2 if full else 1]))  # type: ignore[operator]
    assert verdict.answers
    assert not verdict.back
    assert not verdict.mix


@pytest.mark.parametrize("scenario", [twice, passed_on])
def test_a_tick_never_takes_a_coarse_clock_back(world: World, scenario: object, full: bool) -> None:
    """Whenever its counter is read: here before the mark."""
    before, updates = UPDATES["tick-alone"]
    verdict = world.verdict(scenario(world.page(*before), *updates[: 2 if full else 1], clock=MONOTONIC_COARSE))  # type: ignore[operator]
    assert verdict.answers
    assert not verdict.back
    assert not verdict.mix


@pytest.mark.parametrize("scenario", [twice, passed_on])
@pytest.mark.parametrize("name", ["adjust", "suspend"])
def test_a_counter_read_before_begin_makes_it_go_back(world: World, name: str, scenario: object) -> None:
    before, (call, *_) = UPDATES[name]
    early = replace(call, function=call.function.replace("update_", "early_"))
    assert world.verdict(scenario(world.page(*before), early)).back  # type: ignore[operator]


# What each fence is for. For each fence of the emitted code and each weaker one in its place: is a mix believed, does
# MONOTONIC go back. A row without either is a letter that no reader needs.
NEEDED = {
    ("reads", 0, "fence r,ir"): {
        None: "mix back",
        "fence r,r": "back",
        "fence r,i": "mix back",
    },
    ("reads", 1, "fence ir,r"): {
        None: "mix back",
        "fence r,r": "back",
        "fence i,r": "mix back",
    },
    ("writes", 0, "fence w,iorw"): {
        None: "mix back",
        "fence w,orw": "back",
        "fence w,i": "mix",
        "fence w,irw": "",
        "fence w,iow": "",
        "fence w,iw": "",
        "fence w,ir": "",
    },
    ("writes", 1, "fence rw,w"): {
        None: "mix back",
        "fence r,w": "mix back",
        "fence w,w": "",
    },
}
ROWS = [(side, n, fence, weaker) for (side, n, fence), rows in NEEDED.items() for weaker in rows]


def parsed(text: str | None) -> Fence | None:
    if text is None:
        return None
    before, after = text.removeprefix("fence ").split(",")
    return Fence(frozenset(before), frozenset(after))


@pytest.mark.parametrize("language", ["plain", "rust"])
def test_the_fences_are_those_of_the_table(language: str, request: pytest.FixtureRequest) -> None:
    plain: World = request.getfixturevalue(language)
    start = plain.page(*RUNNING)
    for side, call in (("reads", clock_gettime(MONOTONIC)), ("reads", gettimeofday()), ("writes", SLOWER)):
        emitted = [str(fence) for fence in plain.fences(call, start)]
        assert emitted == [fence for of, _, fence in NEEDED if of == side], call
    assert [str(fence) for fence in plain.fences(clock_getres(MONOTONIC), start)] == ["fence r,ir"]


def what_becomes_possible(world: World, weak: Weak) -> str:
    """Return what readers see with this fence in place of the right one: a mix, time that goes back."""
    start = world.page(*RUNNING)
    alone = UPDATES["set_realtime-alone"][1][0]
    mixing = [Scenario(start, ((SLOWER,), (clock_gettime(MONOTONIC),))), Scenario(start, ((alone,), (clock_gettime(0),)))]
    mix = any(world.verdict(scenario, weak).mix for scenario in mixing)
    back = any(world.verdict(scenario, weak).back for scenario in (passed_on(start, SLOWER), twice(start, SLOWER)))
    return " ".join(["mix"] * mix + ["back"] * back)


@pytest.mark.parametrize(("side", "ordinal", "fence", "weaker"), ROWS, ids=lambda v: str(v).replace("fence ", ""))
def test_each_letter_of_each_fence(plain: World, side: str, ordinal: int, fence: str, weaker: str | None) -> None:
    assert what_becomes_possible(plain, Weak(side, ordinal, parsed(weaker))) == NEEDED[side, ordinal, fence][weaker]


# The same where the counter is a word of a page, which a device's attributes make an i, and those of memory an r.
MMIO = {
    ("reads", 0, "fence r,ir"): {None: "mix back", "fence r,r": "back", "fence r,i": "mix back"},
    ("reads", 1, "fence ir,r"): {None: "mix back", "fence r,r": "back", "fence i,r": "mix back"},
    ("writes", 0, "fence w,iorw"): {None: "mix back", "fence w,orw": "back", "fence w,i": "mix"},
}
MMIO_ROWS = [(side, n, fence, weaker) for (side, n, fence), rows in MMIO.items() for weaker in rows]


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("device"), PLAIN, mmio="i")


@pytest.mark.parametrize(("side", "ordinal", "fence", "weaker"), MMIO_ROWS, ids=lambda v: str(v).replace("fence ", ""))
def test_a_counter_of_a_device_needs_the_i(device: World, side: str, ordinal: int, fence: str, weaker: str | None) -> None:
    possible = what_becomes_possible(device, Weak(side, ordinal, parsed(weaker)))
    assert possible == MMIO[side, ordinal, fence][weaker]


def test_a_counter_in_memory_needs_no_i(tmp_path: Path) -> None:
    memory = World(tmp_path / "memory", PLAIN, mmio="r")
    for side, ordinal, weaker in (("reads", 0, "fence r,r"), ("reads", 1, "fence r,r"), ("writes", 0, "fence w,rw")):
        assert what_becomes_possible(memory, Weak(side, ordinal, parsed(weaker))) == ""
        assert what_becomes_possible(memory, Weak(side, ordinal, None)) == "mix back"


def test_clock_getres_needs_its_fence(world: World) -> None:
    scenario = Scenario(EMPTY, ((INIT,), (clock_getres(MONOTONIC),)))
    assert world.verdict(scenario, Weak("reads", 0, None)).mix
    assert not world.verdict(scenario, Weak("reads", 0, parsed("fence r,r"))).mix


# The kernel's own clock_gettime, after what another hart has read: with no update at all, before one by the lock, after it.
def without_an_update(start: bytes, fenced: bool) -> Scenario:
    asks = (told(0), system_call(MONOTONIC, lock=1, unlock=2, fenced=fenced))
    return Scenario(start, ((clock_gettime(MONOTONIC), tell(0)), asks), (((0, 0), (1, 1)),))


def before_the_update(start: bytes, fenced: bool) -> Scenario:
    asks = (system_call(MONOTONIC, lock=1, unlock=2, fenced=fenced), tell(3))
    harts = ((told(2), SLOWER), (clock_gettime(MONOTONIC), tell(0)), (told(0), *asks), (told(3), clock_gettime(MONOTONIC)))
    return Scenario(start, harts, (((1, 0), (2, 1)), ((2, 1), (3, 1))))


def after_the_update(start: bytes, fenced: bool) -> Scenario:
    asks = (told(0), system_call(MONOTONIC, lock=1, unlock=2, fenced=fenced))
    return Scenario(start, ((SLOWER, tell(1)), (clock_gettime(MONOTONIC), tell(0)), asks), (((1, 0), (2, 1)),))


@pytest.mark.parametrize("scenario", [without_an_update, before_the_update, after_the_update])
@pytest.mark.parametrize("counter", ["plain", "device"])
def test_the_system_call_keeps_its_counter_inside_the_lock_by_fences(
    scenario: object, counter: str, request: pytest.FixtureRequest
) -> None:
    world: World = request.getfixturevalue(counter)
    start = world.page(*RUNNING)
    assert world.verdict(scenario(start, fenced=False)).back  # type: ignore[operator]
    fenced = world.verdict(scenario(start, fenced=True))  # type: ignore[operator]
    assert fenced.answers
    assert not fenced.back
