# SPDX-License-Identifier: MIT
"""The code of the clock for x86-64: the instructions of a call, what there is none of, and how its accesses are ordered."""

from __future__ import annotations

import re

import kernel_side
import pytest
from clock.clock_fixture import GETRES, GETTIME, GETTIMEOFDAY, Program
from kernel_side import DataPage
from stub_build import Stubs, gcc, stubs
from stub_runner import BUFFER, Result
from vdso.arch.x86_64.facts import X86_64
from vdso.image.analysis import analyse
from vdso.stubs import toolchain

TIME = "time"
COARSE = 5
MOST = {
    "gcc": {GETTIME: 33, GETTIMEOFDAY: 33, GETRES: 17, TIME: 23},
    "clang": {GETTIME: 32, GETTIMEOFDAY: 35, GETRES: 15, TIME: 24},
}
"""Instructions of a call with a data page, entry to return inclusive, that is answered without the kernel."""
LIMIT = {GETTIME: 36, GETTIMEOFDAY: 45, GETRES: 18}
"""Linux 7.2 takes 52, 45 and 18."""


@pytest.fixture(scope="module", params=["gcc", "clang"])
def compiler(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def linked(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> Stubs:
    folder = tmp_path_factory.mktemp("stubs")
    return stubs(folder, "after", compiler="" if compiler == "gcc" else "clang-19", arch=X86_64)


@pytest.fixture
def page(tmp_path_factory: pytest.TempPathFactory) -> DataPage:
    return DataPage(kernel_side.build(tmp_path_factory.mktemp("kernel"))).init(4_200_000_000).set_realtime(5, 1_700_000_000, 3)


def test_a_call_takes_so_many_instructions(compiler: str, linked: Stubs, page: DataPage) -> None:
    most = Program(linked).instructions(page, (TIME, (BUFFER,)))
    if compiler == "clang" or " 12." in toolchain.version(gcc(X86_64)):
        assert most == MOST[compiler]
    assert all(most[name] <= number + 1 for name, number in MOST[compiler].items()), "another gcc takes one more at most"
    assert all(most[name] <= limit for name, limit in LIMIT.items())


def test_code_has_no_frame_no_loop_and_no_division(linked: Stubs) -> None:
    for name in (GETTIME, GETTIMEOFDAY, GETRES, TIME):
        address, size = linked.functions[X86_64.export(name)]
        function = analyse(linked.image, address, X86_64)
        assert not function.unknown
        assert not function.state
        assert not function.writes & {*X86_64.frame_registers, *X86_64.thread_registers, "rbx", "r12", "r13", "r14", "r15"}
        assert function.numbers == {X86_64.syscalls[name]}
        assert not [line for line in linked.lines(name) if re.search(r"div|push|pop|^call|\brsp|\bfs|\bgs|mm\d", line)]
        assert sum("mul" in line for line in linked.lines(name)) <= 3
        assert sum(span.size for span in function.covered) <= size


@pytest.mark.parametrize("name", [GETTIME, GETTIMEOFDAY, TIME])
def test_the_counter_is_read_between_the_two_looks_at_the_state(linked: Stubs, name: str) -> None:
    """Behind `lfence`, which waits for the first; and the address of the second depends on it."""
    code = linked.lines(name)
    (counter,) = [at for at, line in enumerate(code) if line.startswith("rdtsc")]
    assert code[counter - 1] == "lfence"
    state, row = next(
        match.groups() for line in code[:counter] if (match := re.fullmatch(r"mov (\w+), qword ptr \[(\w+)\]", line))
    )
    assert any(line == f"test {state}, {state}" for line in code[:counter])
    assert code[counter + 1 : counter + 3] == ["shl rdx, 0x20", "or rax, rdx"]
    again, zero = next(
        (at, match[1])
        for at, line in enumerate(code)
        if (match := re.fullmatch(rf"cmp qword ptr \[{row} \+ (\w+)\], {state}", line))
    )
    between = code[counter + 3 : again]
    assert between[:3] == ["shl rax, cl", f"sub rax, qword ptr [{row} + 8]", f"mul qword ptr [{row} + 0x10]"]
    copy = [] if zero == "rax" else [f"mov {zero}, rax"]
    low_half = [line for line in between[3:] if re.match(rf"\w+ [re](ax|{zero[1:]})\b", line)]
    assert low_half[: len(copy)] == copy, "the low half of the product is made of the counter"
    of_the_address = [line for line in low_half if line not in copy and not line.startswith("mov rax")]
    assert of_the_address == [f"and e{zero[1:]}, 0"]
    fields = {match[1] for line in between if (match := re.search(rf"\[{row} \+ (\w+)\]", line))}
    assert fields == {"8", "0x10", "0x18", "0x20"}
    assert code[again + 1].startswith("jne ")


@pytest.fixture
def program(linked: Stubs) -> Program:
    return Program(linked)


def asked(program: Program, *arguments: int, **more: int | None) -> Result:
    return program.call(TIME, *arguments, answer=77, **more)


def test_time_is_the_second_of_the_clock_of_ticks(program: Program, page: DataPage) -> None:
    """NULL is legal; with an address, the second is there too."""
    for counter in (5, 10**12, 10**15, 2**63):
        program.machine.set_page(bytes(page))
        clock = program.gettime(COARSE, counter=counter)
        seconds, _ = clock.words()
        with_null, with_place = program.call(TIME, 0, counter=counter), program.call(TIME, BUFFER, counter=counter)
        assert with_null.value == with_place.value == seconds
        assert with_place.words(1) == (seconds,)
        assert not with_null.syscalls + with_place.syscalls
        assert with_null.memory == b"\xa5" * 4096


def test_time_asks_the_kernel_where_the_page_does(program: Program, page: DataPage) -> None:
    program.machine.set_page(bytes(4096))
    result = asked(program, BUFFER, counter=None)
    assert result.value == 77
    assert [(number, arguments[0]) for number, arguments in result.syscalls] == [(X86_64.syscalls[TIME], BUFFER)]
    page.disable()
    program.machine.set_page(bytes(page))
    assert len(asked(program, 0, counter=None).syscalls) == 1


@pytest.mark.parametrize(
    ("tick", "loads"),
    [
        pytest.param(False, 5, id="state, base, mult, floor, sec"),
        pytest.param(True, 6, id="at a tick: the floor again, below which all units are"),
    ],
)
def test_time_believes_nothing_that_changed_meanwhile(program: Program, page: DataPage, tick: bool, loads: int) -> None:
    if tick:
        page.set_tick(10**9, 10**7)
    before, after = bytes(page), bytes(page.set_realtime(10**9 + 1, 1_800_000_000, 0))
    for at in range(1, loads + 1):
        program.machine.set_page(before)
        result = asked(program, 0, counter=10**10, before_load=lambda k, at=at: after if k == at else None)
        assert len(result.syscalls) == 1, at
    program.machine.set_page(before)
    result = asked(program, 0, counter=10**10, before_load=lambda k: after if k == loads + 2 else None)
    assert not result.syscalls, "its last load is that of the state"
