# SPDX-License-Identifier: MIT
"""Harts that read while a writer works: MONOTONIC never goes back, be it read from the vDSO or by system call.

A machine of a few harts is played in one thread: true time goes on in ticks, each hart's counter is some ticks behind it,
and between any two steps of a writer (begin, counter, calls, end) others read. A reader that finds an update under way asks
the kernel, where it waits for the lock; so it has no answer before the end, and reads the counter after that.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import pytest
from clock.clock_fixture import Clockwork, broken_header, clockwork
from exact_clock import (
    BOOTTIME,
    HZ_MAX,
    HZ_MIN,
    MONOTONIC,
    MONOTONIC_COARSE,
    MONOTONIC_RAW,
    NSEC,
    PPB_MAX,
    REALTIME,
    REALTIME_COARSE,
    TAI,
)
from kernel_side import DataPage

HARTS = 3
# With `set_realtime` among the updates the wall clocks may go where they are told to.
UPTIME = (MONOTONIC, MONOTONIC_COARSE, MONOTONIC_RAW, BOOTTIME)
UNIT = Fraction(NSEC, 2**31)
"""What a row counts in, in nanoseconds: two readings that are so far apart may differ by one more than their times."""
CALLS = ("adjust", "set_monotonic", "suspend", "resume")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Clockwork:
    return clockwork(tmp_path_factory.mktemp("monotonic"))


@dataclass
class Play:
    """skew: ticks that a hart's counter may be behind. early: the writer reads the counter before begin. vdso: it is there."""

    made: Clockwork
    seed: int
    skew: int = 0
    early: bool = False
    vdso: bool = True
    answers: dict[str, int] = field(default_factory=lambda: {"vdso": 0, "syscall": 0})

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.hz = self.chance.choice([HZ_MIN, 10**7, 10**9, HZ_MAX, self.chance.randint(HZ_MIN, HZ_MAX)])
        self.behind = [self.chance.randint(0, self.skew) for _ in range(HARTS)]
        self.now = self.chance.choice([self.skew, 10**6, 3600 * self.hz])
        self.page = DataPage(self.made.c).init(self.hz)
        wall = self.chance.random() < 0.5  # set once, so that the wall clocks must not go back either
        if wall:
            self.page.set_realtime(self.now - self.skew, 1_700_000_000, 5)
        ticks = self.chance.random() < 0.3
        if ticks:
            self.page.set_tick(self.now - self.skew, NSEC // 250)
        self.calls = (*CALLS, *([] if wall else ["set_realtime"]), *(["tick", "tick"] if ticks else []))
        self.clock = self.chance.choice([*UPTIME, REALTIME, REALTIME_COARSE, TAI] if wall else UPTIME)

    def counter(self, hart: int) -> int:
        self.now += self.chance.choice([0, 0, 1, self.chance.randint(0, self.hz // 1000)])
        return self.now - self.behind[hart]

    def read(self) -> int:
        """Return the nanoseconds that any hart reads, by vDSO or system call."""
        counter = self.counter(self.chance.randrange(HARTS))
        answer = None
        if self.chance.random() < 0.5 and self.vdso:
            answer = self.made.program.read(self.page, self.clock, counter)
        self.answers["syscall" if answer is None else "vdso"] += 1
        sec, nsec = answer or self.page.read(self.clock, counter)
        return sec * NSEC + nsec

    def update(self) -> Iterator[int]:
        """Update the page, and yield the readings of others meanwhile."""
        hart = self.chance.randrange(HARTS)
        counter = self.counter(hart)
        if self.early:
            yield self.read()
        self.page.begin()
        for name in self.chance.choices(self.calls, k=self.chance.randint(1, 3)):
            if not self.early:
                counter = self.counter(hart)
            self.call(name, counter)
        self.page.end()

    def call(self, name: str, counter: int) -> None:
        chance = self.chance
        if name == "adjust":
            self.page.adjust(counter, chance.choice([0, PPB_MAX, -PPB_MAX, chance.randint(-PPB_MAX, PPB_MAX)]))
        elif name == "set_monotonic":
            sec, nsec = self.page.read(MONOTONIC, counter)
            ns = sec * NSEC + nsec + chance.choice([0, 1, -1, chance.randint(-(10**9), 10**10)])
            self.page.set_monotonic(counter, max(ns, 0) // NSEC, max(ns, 0) % NSEC)
        elif name == "set_realtime":
            self.page.set_realtime(counter, chance.randint(-(2**33), 2**33), chance.randrange(NSEC))
        elif name == "suspend":
            self.page.suspend(counter)
        elif name == "tick":
            self.page.tick(counter)
        else:
            self.page.resume(counter, chance.randint(0, 10**12))

    def run(self, steps: int) -> Iterator[int]:
        for _ in range(steps):
            if self.chance.random() < 0.3:
                yield from self.update()
            else:
                yield self.read()


def furthest_back(play: Play, steps: int = 80) -> int:
    """Return by how many nanoseconds a reading was below an earlier one, at most."""
    highest, back = None, 0
    for ns in play.run(steps):
        highest = ns if highest is None else max(highest, ns)
        back = max(back, highest - ns)
    return back


def test_no_clock_goes_back(made: Clockwork, full: bool) -> None:
    answers = {"vdso": 0, "syscall": 0}
    for seed in range(30_000 if full else 300):
        play = Play(made, seed)
        assert furthest_back(play) == 0, (seed, play.clock)
        answers = {kind: count + play.answers[kind] for kind, count in answers.items()}
    assert min(answers.values()) > 3000, "vDSO and system call in turn"


@pytest.mark.parametrize("skew", [1, 3, 1000])
def test_a_skew_costs_no_more_than_the_skew(made: Clockwork, skew: int, full: bool) -> None:
    worst = Fraction(0)
    for seed in range(10_000 if full else 100):
        play = Play(made, seed, skew=skew)
        fastest = Fraction(skew * (NSEC + PPB_MAX), play.hz)
        back = furthest_back(play)
        assert back <= -(-(fastest + UNIT) // 1), (seed, play.clock, play.hz)
        worst = max(worst, back / fastest)
    assert worst > Fraction(1, 2), "the skew was never seen: nothing was tried"


def test_a_counter_read_before_begin_makes_time_go_back(made: Clockwork) -> None:
    """What the rule of begin prevents, and that the tests above can fail."""
    back = [furthest_back(Play(made, seed, early=True)) for seed in range(100)]
    assert sum(step > 0 for step in back) > 10


# What is broken in a copy of vdso_data.h, so that a clock goes back.
BROKEN = {
    "the floor is left out": ("\t\tunits = floor;", "\t\tunits = units;"),
    "the floor does not hold what was shown": ("if (units > (vdso_int128)row->floor)", "if (0 && units)"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_header_is_caught(made: Clockwork, tmp_path: Path, what: str) -> None:
    """The system call reads by this header too; the vDSO is left out, which would disagree with it."""
    library = broken_header(tmp_path, *BROKEN[what])
    assert any(furthest_back(Play(replace(made, c=library), seed, vdso=False)) for seed in range(300))
    assert not any(furthest_back(Play(made, seed, vdso=False)) for seed in range(300))
