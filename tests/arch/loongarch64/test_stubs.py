# SPDX-License-Identifier: MIT
"""The functions of an image for loongarch64, one instruction at a time: what they take, and that they are right.

The stores of a writer are those of the kernel's side as riscv64 makes them: the page is the same, and each store is one of C.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import kernel_side
import pytest
from arch.loongarch64.code_shape import dependence, faults
from arch.loongarch64.machine import Machine, Stopped
from clock.test_torn import RUNNING, UPDATES, Torn, after, stages
from clock.writer_trace import Writer
from exact_clock import HZ_MAX, HZ_MIN, LIFE, MONOTONIC, NOT_SERVED, NSEC, SERVED, WALL_CLOCKS, Clock, error_ns
from kernel_side import DataPage
from one_cpu import BUFFER, CounterTrap, Result
from scons_build import build
from vdso.arch.loongarch64.facts import LOONGARCH64

# Instructions as clang 19 makes them. They may only go down.
PAGE = {"clock_gettime": 31, "gettimeofday": 33, "clock_getres": 15}
LOADS = 7  # of clock_gettime: state, base, mult, floor, sec, state, giga
SAMPLES = 120
NOP = (0x03400000).to_bytes(4, "little")
DBAR = (0x38720000).to_bytes(4, "little")


@dataclass(frozen=True)
class Made:
    """An image: `facts` is its vdso.json, `out` the folder of the outputs."""

    out: Path
    image: bytes
    facts: dict[str, Any]

    def place(self, name: str) -> tuple[int, int]:
        """Return address and size of an export."""
        (export,) = (e for e in self.facts["exports"] if e["name"] == f"__vdso_{name}")
        return export["address"], export["size"]


def make(out: Path, *words: str) -> Made:
    build(out, "BASE=minimal", "ARCH=loongarch64", *words)
    return Made(out, (out / "vdso.so").read_bytes(), json.loads((out / "vdso.json").read_text()))


@dataclass(frozen=True)
class Program:
    made: Made
    machine: Machine

    def call(self, name: str, *arguments: int, **more: Any) -> Result:
        return self.machine.call(self.made.place(name)[0], *arguments, **more)

    def gettime(self, page: bytes, clock: int, **more: Any) -> tuple[int, ...] | None:
        """Return (sec, nsec) without the kernel; None if it was a system call."""
        self.machine.set_page(page)
        result = self.call("clock_gettime", clock, BUFFER, **more)
        return None if result.syscalls else result.words()


@pytest.fixture(scope="module", params=["after", "before"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    made = make(tmp_path_factory.mktemp(request.param), f"DATA_PAGE={request.param}")
    with Machine(made.image, made.facts["data_offset"]) as machine:
        yield Program(made, machine)


@pytest.fixture
def page(program: Program, tmp_path: Path) -> DataPage:
    return DataPage(kernel_side.build(tmp_path, program.made.out / "vdso.h"), stale=b"\xa5" * 4096)


def test_budgets_and_shape(program: Program, page: DataPage) -> None:
    """At most 31 instructions for each served id; no frame, loop, divide or call, also where the kernel is asked."""
    page.init(10**8).set_realtime(0, 1_700_000_000, 5)
    program.machine.set_page(bytes(page))
    for clock in SERVED:
        result = program.call("clock_gettime", clock, BUFFER, counter=10**12)
        assert (result.instructions, result.words()) == (PAGE["clock_gettime"], page.read(clock, 10**12))
        assert program.call("clock_getres", clock, BUFFER).instructions == PAGE["clock_getres"]
    assert program.call("gettimeofday", BUFFER, 0, counter=10**12).instructions == PAGE["gettimeofday"]
    for name in (*PAGE, "getcpu"):
        assert faults(program.made.image, *program.made.place(name)) == []
    assert program.made.place("clock_gettime")[1] <= LOONGARCH64.budget["clock_gettime"]


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("6310c002", "a frame"),  # addi.d $sp, $sp, 4
        ("84142200", "a divide"),  # div.d $a0, $a0, $a1
        ("00000054", "a call"),  # bl 0
        ("9ffcff47", "a loop"),  # bnez $a0, -4
        ("ffffffff", "not an instruction"),
        ("80040040", "control leaves"),  # beqz $a0, 4: behind the end
    ],
)
def test_the_shape_check_can_fail(code: str, fault: str) -> None:
    image = NOP + bytes.fromhex(code)
    assert any(fault in line for line in faults(image, 0, len(image)))


def test_counter_and_loads_stand_between_two_full_fences(program: Program) -> None:
    """And the second load of state is at an address that depends on the counter."""
    order = dependence(program.made.image, *program.made.place("clock_gettime"))
    order = order[order.index("load") :]
    fences = [index for index, what in enumerate(order) if what == "fence"]
    assert order[: fences[0]] in (["load"], ["load", "system call"])
    assert sorted(order[fences[0] + 1 : fences[1]]) == ["counter", "load", "load", "load", "load"]
    assert order[fences[1] + 1] == "again"
    assert order[fences[1] + 2 :].count("again") == 0


def test_served_ids_agree_with_the_model_and_with_the_kernel(program: Program, page: DataPage) -> None:
    chance = random.Random(11)
    for _ in range(8):
        hz = chance.choice([HZ_MIN, 10**8, HZ_MAX, chance.randint(HZ_MIN, HZ_MAX)])
        counter = chance.choice([0, chance.randint(0, hz), chance.randint(0, min(hz * LIFE, (1 << 64) - 1))])
        wall = (chance.randint(0, counter), chance.choice([0, -1, 2**32, -(2**33)]), chance.choice([0, NSEC - 1]))
        page.init(hz).set_realtime(*wall)
        model = Clock.init(hz).set_realtime(*wall)
        for clock in SERVED:
            shown, exact = program.gettime(bytes(page), clock, counter=counter), model.time(clock, counter)
            assert shown is not None
            assert exact is not None
            assert -1 < error_ns(*shown, exact) < 1, (hz, counter, wall, clock)
            assert shown == page.read(clock, counter), "stub and system call disagree"
        sec, nsec = page.read(0, counter)
        assert program.call("gettimeofday", BUFFER, 0, counter=counter).words() == (sec, nsec // 1000)
        assert program.call("clock_getres", MONOTONIC, BUFFER).words() == (0, model.resolution_ns(MONOTONIC))


def test_who_has_no_time_asks_the_kernel_and_reads_no_counter(program: Program, page: DataPage) -> None:
    def asked(name: str, *arguments: int) -> bool:
        program.machine.set_page(bytes(page))
        result = program.call(name, *arguments, counter=None, answer=-22)
        number = LOONGARCH64.syscalls[name]
        assert result.value == -22
        return [(nr, given[: len(arguments)]) for nr, given in result.syscalls] == [(number, arguments)]

    page.init(10**8)
    assert all(asked("clock_gettime", clock, BUFFER) for clock in WALL_CLOCKS)
    assert asked("gettimeofday", BUFFER, 0)
    page.set_realtime(0, 1, 2)
    assert all(asked(name, clock % 2**64, BUFFER) for clock in NOT_SERVED for name in ("clock_gettime", "clock_getres"))
    assert all(asked("gettimeofday", *where) for where in ((0, 0), (BUFFER, BUFFER + 64)))
    with pytest.raises(CounterTrap):
        asked("clock_gettime", MONOTONIC, BUFFER)
    page.begin()
    assert all(asked("clock_gettime", clock, BUFFER) for clock in SERVED)
    page.end()
    page.disable()
    assert all(asked("clock_gettime", clock, BUFFER) for clock in SERVED)
    assert asked("getcpu", BUFFER, 0, 0)


def read_amid(program: Program, pages: list[bytes], choose: Callable[[], list[int]], whole: set[object]) -> int:
    """Return how many readers asked the kernel of those whose loads see `pages`. Torn if one believed a mix."""
    asked = 0
    for _ in range(SAMPLES):
        seen = choose()
        got = program.gettime(pages[0], MONOTONIC, counter=10**12, before_load=lambda k, seen=seen: pages[seen[k]])
        asked += got is None
        if got is not None and got not in whole:
            raise Torn(seen, got)
    return asked


@pytest.mark.parametrize("update", ["set_monotonic", "adjust"])
def test_no_reader_sees_half_an_update_and_without_the_check_it_does(program: Program, update: str, tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    pages = stages(writer, after(writer, bytes(4096), RUNNING), UPDATES[update][1], MONOTONIC)
    chance = random.Random(4)

    def choose() -> list[int]:
        return sorted(chance.choices(range(len(pages)), k=LOADS))

    whole = {program.gettime(page, MONOTONIC, counter=10**12) for page in (pages[0], pages[-1])}
    assert read_amid(program, pages, choose, whole) > 0, "no load met the writer: nothing was tried"
    address, size = program.made.place("clock_gettime")
    code = program.made.image[address : address + size]
    check = code.rindex(DBAR) + 12
    assert code[check + 3] >> 2 == 0x17, "bne behind dbar, xor and ldx.d"
    broken = program.made.image[: address + check] + NOP + program.made.image[address + check + 4 :]
    with Machine(broken, program.made.facts["data_offset"]) as machine, pytest.raises(Torn):
        read_amid(Program(program.made, machine), pages, choose, whole)


def test_the_machine_refuses_what_no_kernel_maps(program: Program, page: DataPage) -> None:
    page.init(10**8)
    program.machine.set_page(bytes(page))
    with pytest.raises(Stopped, match="a store to 0x30000"):
        program.call("clock_gettime", MONOTONIC, program.machine.load)
    with pytest.raises(Stopped, match="a store to 0x0"):
        program.call("clock_gettime", MONOTONIC, 0)


@pytest.mark.parametrize("hz", [32768, 100_000_000, 5_800_000_000])
def test_without_a_page_the_counter_alone_tells_the_time(hz: int, tmp_path: Path) -> None:
    made = make(tmp_path / "out", "DATA_PAGE=none", f"TIMEBASE_HZ={hz}")
    with Machine(made.image) as machine:
        program = Program(made, machine)
        for counter in (0, hz - 1, 12345 * hz + 678):
            result = program.call("clock_gettime", MONOTONIC, BUFFER, counter=counter)
            sec, nsec = result.words()
            assert (sec, result.syscalls) == (counter // hz, ())
            assert -1 < nsec - Fraction(counter % hz * NSEC, hz) < 1.1
        assert len(program.call("clock_gettime", 0, BUFFER, counter=None).syscalls) == 1
        assert faults(made.image, *made.place("clock_gettime")) == []
