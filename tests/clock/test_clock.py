# SPDX-License-Identifier: MIT
"""The time that programs get: functions of finished images, run in Unicorn on a page that the generated vdso.h writes."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest
from bases import bases
from exact_clock import FRESH_NS, HZ_MAX, HZ_MIN, LIFE, NOT_SERVED, NSEC, SERVED, UPTIME_CLOCKS, WALL_CLOCKS, Clock, error_ns
from kernel_side import DataPage
from kernel_side import build as build_kernel
from scons_build import build
from stub_build import broken_tree, stubs
from stub_runner import BUFFER, CounterTrap, Machine

CLOCK_GETTIME, CLOCK_GETRES, GETTIMEOFDAY = 113, 114, 169
ROUNDS = 1000
BASES = ["minimal", *(str(path) for path in bases("riscv64*.so") if "cfi" not in path.name)]
PAGES = ("after", "before")
LAYOUTS = [(base, page, "rdtime") for base in BASES for page in PAGES] + [("minimal", page, "mmio:0xff8") for page in PAGES]


@dataclass
class Made:
    machine: Machine
    symbols: dict[str, int]
    page: DataPage

    def call(self, name: str, *arguments: int, **kw: object) -> object:
        self.machine.set_page(bytes(self.page))
        return self.machine.call(self.symbols[name], *arguments, **kw)  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=LAYOUTS, ids=lambda p: f"{Path(p[0]).stem}-{p[1]}-{p[2]}")
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    base, where, counter = request.param
    out = build(tmp_path_factory.mktemp("blob"), f"BASE={base}", f"DATA_PAGE={where}", f"COUNTER={counter}")
    facts = json.loads((out / "vdso.json").read_text())
    symbols = {e["name"].removeprefix("__vdso_"): e["address"] for e in facts["exports"] if e["address"] is not None}
    machine = Machine((out / "vdso.so").read_bytes(), facts["data_offset"], counter_offset=facts["counter_offset"] or None)
    return Made(machine, symbols, DataPage(build_kernel(out, out / "vdso.h"), stale=b"\xa5" * 4096))


def times(seed: int) -> Iterator[tuple[int, int, tuple[int, int, int]]]:
    """Yield (hz, counter, (counter, sec, nsec) of the wall clock), extremes among them."""
    chance = random.Random(seed)
    for _ in range(ROUNDS):
        hz = chance.choice([HZ_MIN, HZ_MAX, 10**7, 10**9, chance.randint(HZ_MIN, HZ_MAX)])
        life = min(hz * LIFE, (1 << 64) - 1)
        counter = chance.choice([0, life, chance.randint(0, life), chance.randint(0, hz)])
        sec = chance.choice([0, -1, -(2**33), 2**32, 4294967295, chance.randint(-(2**34), 2**34)])
        nsec = chance.choice([0, NSEC - 1, chance.randrange(NSEC)])
        yield hz, counter, (chance.randint(0, counter), sec, nsec)


def test_served_ids_agree_with_the_model(made: Made) -> None:
    worst = Fraction(0)
    for hz, counter, wall in times(seed=2):
        made.page.init(hz).set_realtime(*wall)
        model = Clock.init(hz).set_realtime(*wall)
        for clock in SERVED:
            result = made.call("clock_gettime", clock, BUFFER, counter=counter)
            assert (result.value, result.syscalls) == (0, ()), (hz, counter, wall, clock)
            exact = model.time(clock, counter)
            assert exact is not None
            off = error_ns(*result.words(), exact)
            assert abs(off) < FRESH_NS, (hz, counter, wall, clock, float(off))
            worst = max(worst, abs(off))
            assert made.page.read(clock, counter) == result.words(), "vDSO and system call disagree"
    assert worst > 0, "no time was ever rounded: nothing was tried"


def test_gettimeofday_is_realtime_in_microseconds(made: Made) -> None:
    for hz, counter, wall in times(seed=3):
        made.page.init(hz).set_realtime(*wall)
        realtime = made.page.read(0, counter)
        assert realtime is not None
        result = made.call("gettimeofday", BUFFER, 0, counter=counter)
        assert (result.value, result.syscalls, result.words()) == (0, (), (realtime[0], realtime[1] // 1000))


@pytest.mark.parametrize("answer", [0, -22, 7])
def test_other_ids_make_one_system_call_and_pass_its_answer_on(made: Made, answer: int) -> None:
    made.page.init(10**7).set_realtime(5, 1_700_000_000, 3)
    for name, number in (("clock_gettime", CLOCK_GETTIME), ("clock_getres", CLOCK_GETRES)):
        for clock in NOT_SERVED:
            result = made.call(name, clock, BUFFER, counter=10**9, answer=answer)
            assert result.value == answer
            assert [(nr, arguments[1]) for nr, arguments in result.syscalls] == [(number, BUFFER)]
            assert result.syscalls[0][1][0] & 0xFFFFFFFF == clock & 0xFFFFFFFF
            assert result.memory == b"\xa5" * 4096, "what the kernel answers is not touched"


def test_gettimeofday_with_a_time_zone_asks_the_kernel(made: Made) -> None:
    made.page.init(10**7).set_realtime(5, 1_700_000_000, 3)
    result = made.call("gettimeofday", BUFFER, BUFFER + 64, counter=10**9, answer=-14)
    assert result.value == -14
    assert [(number, arguments[:2]) for number, arguments in result.syscalls] == [(GETTIMEOFDAY, (BUFFER, BUFFER + 64))]


def asks(made: Made, clock: int) -> bool:
    """Tell whether it makes the system call; then it must read no counter, which might be forbidden."""
    try:
        result = made.call("clock_gettime", clock, BUFFER, counter=None)
    except CounterTrap:
        return False
    assert [n for n, _ in result.syscalls] == [CLOCK_GETTIME]
    assert not made.call("clock_gettime", clock, BUFFER, counter=10**9).memory.strip(b"\xa5")
    return True


def test_who_has_no_time_asks_the_kernel(made: Made) -> None:
    made.machine.set_page(bytes(4096))
    for clock in SERVED:  # a page of zeros: before init
        result = made.machine.call(made.symbols["clock_gettime"], clock, BUFFER, counter=None)
        assert [n for n, _ in result.syscalls] == [CLOCK_GETTIME]
    made.page.init(10**7)
    assert [clock for clock in SERVED if asks(made, clock)] == sorted(WALL_CLOCKS)
    made.page.begin()
    assert all(asks(made, clock) for clock in SERVED)
    made.page.end()
    assert [clock for clock in SERVED if asks(made, clock)] == sorted(WALL_CLOCKS)
    made.page.set_realtime(0, 1, 2)
    assert not any(asks(made, clock) for clock in SERVED)
    made.page.disable()
    assert all(asks(made, clock) for clock in SERVED)
    assert made.page.read(1, 10**7) == (1, 0), "the kernel itself still reads a disabled page"
    made.page.init(HZ_MIN - 1)
    assert all(asks(made, clock) for clock in SERVED)


def test_who_asks_the_kernel_reads_no_counter(made: Made) -> None:
    """Ids that have no row, rows of other clocks, a time zone, no place for the time."""
    made.page.init(10**7).set_realtime(5, 1_700_000_000, 3)
    for clock in NOT_SERVED:
        assert len(made.call("clock_gettime", clock, BUFFER, counter=None).syscalls) == 1
    for arguments in ((BUFFER, BUFFER + 64), (0, 0), (0, BUFFER)):
        assert len(made.call("gettimeofday", *arguments, counter=None).syscalls) == 1
    made.page.init(10**7)
    assert len(made.call("gettimeofday", BUFFER, 0, counter=None).syscalls) == 1
    for clock in (*SERVED, *NOT_SERVED):
        made.call("clock_getres", clock, BUFFER, counter=None)


EARLY = """	if (__builtin_expect(!vdso_is_negative(state), 0))
		return 0; /* before the counter: where it may not be read, the program would die of it */
	vdso_fence_branch();
	counter = vdso_counter_unordered();
"""
LATE = """	vdso_fence_branch();
	counter = vdso_counter_unordered();
	if (__builtin_expect(!vdso_is_negative(state), 0))
		return 0;
"""


def test_a_counter_read_before_the_test_of_validity_is_caught(tmp_path: Path) -> None:
    broken = stubs(tmp_path, "after", tree=broken_tree(tmp_path, "plain_row.h", EARLY, LATE))
    machine = Machine(broken.image, broken.data_offset)
    with pytest.raises(CounterTrap):
        machine.call(broken.functions["__vdso_clock_gettime"][0], 1, BUFFER, counter=None)


def test_resolution(made: Made) -> None:
    for hz in (HZ_MIN, 10**7, 24_000_000, 10**9, HZ_MAX):
        made.page.init(hz).set_realtime(0, 0, 0)
        for clock in SERVED:
            result = made.call("clock_getres", clock, BUFFER)
            assert (result.value, result.syscalls, result.words()) == (0, (), (0, Clock.init(hz).resolution_ns(clock)))
            assert made.call("clock_getres", clock, 0).value == 0
            assert made.page.getres(clock) == (0, Clock.init(hz).resolution_ns(clock))


def test_a_counter_below_the_base_reads_as_the_base(made: Made) -> None:
    made.page.init(10**7).set_realtime(1000, 77, 5)
    assert made.call("clock_gettime", 0, BUFFER, counter=3).words() == (77, 5)


@pytest.fixture(scope="module")
def without_page(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[Machine, dict[str, int]]]:
    machines = {}
    for hz in (HZ_MIN, 10**7, 12_345_678, 10**9, HZ_MAX):
        out = build(tmp_path_factory.mktemp("none"), "BASE=minimal", "DATA_PAGE=none", f"TIMEBASE_HZ={hz}")
        facts = json.loads((out / "vdso.json").read_text())
        symbols = {e["name"].removeprefix("__vdso_"): e["address"] for e in facts["exports"]}
        machines[hz] = (Machine((out / "vdso.so").read_bytes()), symbols)
    return machines


def test_a_counter_of_a_device_without_a_data_page(tmp_path: Path) -> None:
    out = build(tmp_path, "BASE=minimal", "DATA_PAGE=none", "TIMEBASE_HZ=10000000", "COUNTER=mmio:8")
    facts = json.loads((out / "vdso.json").read_text())
    assert facts["counter_offset"] == (out / "vdso.so").stat().st_size + 8
    machine = Machine((out / "vdso.so").read_bytes(), counter_offset=facts["counter_offset"])
    address = next(e["address"] for e in facts["exports"] if e["name"] == "__vdso_clock_gettime")
    assert machine.call(address, 1, BUFFER, counter=10**12 + 1).words() == (10**5, 100)
    assert len(machine.call(address, 0, BUFFER, counter=None).syscalls) == 1


def test_without_a_page_uptime_is_served_and_the_rest_asked(
    without_page: dict[int, tuple[Machine, dict[str, int]]],
) -> None:
    chance = random.Random(4)
    for hz, (machine, symbols) in without_page.items():
        for _ in range(ROUNDS // 5):
            counter = chance.choice([0, min(hz * LIFE, (1 << 64) - 1), chance.randint(0, min(hz * LIFE, (1 << 64) - 1))])
            for clock in UPTIME_CLOCKS:
                result = machine.call(symbols["clock_gettime"], clock, BUFFER, counter=counter)
                assert (result.value, result.syscalls) == (0, ())
                off = error_ns(*result.words(), Fraction(counter, hz))
                assert -1 < off < 1, (hz, counter, clock, float(off))
                if clock == 1:
                    assert result.instructions <= (21 if hz == 10**7 else 23), hz
        for clock in (*WALL_CLOCKS, *NOT_SERVED):
            result = machine.call(symbols["clock_gettime"], clock, BUFFER, answer=-5, counter=None)
            assert (result.value, [n for n, _ in result.syscalls]) == (-5, [CLOCK_GETTIME])
        assert [n for n, _ in machine.call(symbols["gettimeofday"], BUFFER, 0).syscalls] == [GETTIMEOFDAY]
