# SPDX-License-Identifier: MIT
"""The code of the clock for AArch64: the instructions of a call, what there is none of, and how its accesses are ordered."""

from __future__ import annotations

import re

import kernel_side
import pytest
from clock.clock_fixture import GETRES, GETTIME, GETTIMEOFDAY, Program
from kernel_side import DataPage
from stub_build import Stubs, stubs
from vdso.arch.aarch64.facts import AARCH64
from vdso.image.analysis import analyse

MOST = {"gcc": {GETTIME: 30, GETTIMEOFDAY: 33, GETRES: 13}, "clang": {GETTIME: 30, GETTIMEOFDAY: 32, GETRES: 13}}
"""Instructions of a call with a data page, entry to return inclusive, that is answered without the kernel."""


@pytest.fixture(scope="module", params=["gcc", "clang"])
def compiler(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def linked(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> Stubs:
    folder = tmp_path_factory.mktemp("stubs")
    return stubs(folder, "after", compiler="" if compiler == "gcc" else "clang-19", arch=AARCH64)


@pytest.fixture
def page(tmp_path_factory: pytest.TempPathFactory) -> DataPage:
    return DataPage(kernel_side.build(tmp_path_factory.mktemp("kernel"))).init(62_500_000).set_realtime(5, 1_700_000_000, 3)


def test_a_call_takes_so_many_instructions(compiler: str, linked: Stubs, page: DataPage) -> None:
    assert Program(linked).instructions(page) == MOST[compiler]


def test_code_has_no_frame_no_loop_and_no_division(linked: Stubs) -> None:
    for name in (GETTIME, GETTIMEOFDAY, GETRES):
        address, size = linked.functions[AARCH64.export(name)]
        function = analyse(linked.image, address, AARCH64)
        assert not function.unknown
        assert not function.writes & {*AARCH64.frame_registers, *AARCH64.thread_registers}
        assert function.numbers == {AARCH64.syscalls[name]}
        assert not [line for line in linked.lines(name) if "div" in line]
        assert [span.end - span.start for span in function.covered] == [size]


LOADS = {"state": "", "base": ", #8", "mult": ", #0x10", "floor": ", #0x18", "sec": ", #0x20"}


@pytest.mark.parametrize("name", [GETTIME, GETTIMEOFDAY])
def test_the_counter_is_read_between_the_two_looks_at_the_state(linked: Stubs, name: str) -> None:
    """Behind a branch by the first look, and an `isb`; before the second one by its address. A barrier holds the loads."""
    code = linked.lines(name)
    (counter,) = [at for at, line in enumerate(code) if line.startswith("mrs")]
    register = re.fullmatch(r"mrs (x\d+), cntvct_el0", code[counter])
    assert register
    assert code[counter - 1] == "isb"
    branch = re.fullmatch(r"tbz (x\d+), #0x3f, #0x\w+", code[counter - 2])
    assert branch
    state = re.fullmatch(rf"ldr {branch[1]}, \[(x\d+)\]", code[counter - 3])
    assert state
    row = state[1]
    (barrier,) = [at for at, line in enumerate(code) if line.startswith("dmb")]
    assert code[barrier] == "dmb ishld"
    between = code[counter + 1 : barrier]
    for field in ("base", "mult", "floor", "sec"):
        assert [line for line in between if re.fullmatch(rf"ldr x\d+, \[{row}{LOADS[field]}\]", line)], field
    zero = re.fullmatch(rf"eor (x\d+), {register[1]}, {register[1]}", code[barrier + 1])
    assert zero, "the counter has not been moved nor changed"
    assert re.fullmatch(rf"ldr x\d+, \[{row}, {zero[1]}\]", code[barrier + 2])
    assert not [line for line in between if f" {row}, " in line or f" {branch[1]}, " in line]
