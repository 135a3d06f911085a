# SPDX-License-Identifier: MIT
"""The budgets of the functions, in retired instructions, bytes and shape, which are exact; and the bench that prints them."""

from __future__ import annotations

import io
import random
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import kernel_side
import pytest
from arch.riscv64.code_shape import faults, multiplications
from elftools.elf.elffile import ELFFile
from exact_clock import HZ_MAX, HZ_MIN, UPTIME_CLOCKS
from kernel_side import DataPage
from stub_build import CCFLAGS, COMPILER, stubs
from stub_runner import BUFFER, Machine

from bench import linux, table
from bench.architectures import MEASURED
from bench.calls import CLOCKS
from bench.counting import Count, Wrong, counts
from bench.limits import OTHER_COMPILER
from bench.linux_bases import LINUX, linux_vdsos
from bench.modes import MODES, Made, Mode, make
from bench.subject import HZ, Subject, calls, ours, theirs

RISCV64 = MEASURED["riscv64"]
MOST = RISCV64.most
CALLS = calls(RISCV64)
# Instructions as gcc 12 makes them, one name a bundle of clocks that take the same. They may only go down.
PAGE = {"clock_gettime": 30, "gettimeofday": 32, "clock_getres": 15}
MONOTONIC = {32768: 17, 10_000_000: 21, 12_345_678: 23, 1_000_000_000: 19, 5_800_000_000: 19}
OTHER_ID = 4  # more than MONOTONIC, without a page
# Bytes of code, and multiplications in a row with a page; gettimeofday, and all without a page, take one more.
BYTES_LIMIT, MULTIPLICATIONS = 116, 2
REPLACED = ("clock_gettime", "gettimeofday", "clock_getres")


@pytest.fixture(scope="module", params=["minimal", *LINUX], ids=lambda base: Path(base).stem)
def blobs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Made]:
    return make(tmp_path_factory.mktemp("bench"), request.param)


@pytest.fixture(scope="module", name="linux_vdsos")
def linux_vdsos_fixture(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return linux_vdsos(tmp_path_factory.mktemp("debian"))


def instructions(subject: Subject) -> dict[tuple[str, str], Count]:
    return {(call.export, call.case): count for call, count in counts(subject).items()}


def test_budgets(blobs: list[Made]) -> None:
    for made in blobs:
        subject = ours(made, RISCV64)
        found = instructions(subject)
        served = {name: found["clock_gettime", name].instructions or 0 for name in CLOCKS if not asks(found, name)}
        uptime = {name for name, clock in CLOCKS.items() if clock in UPTIME_CLOCKS}
        hz = made.mode.hz
        assert served.keys() == (set(CLOCKS) if hz is None else uptime), made.mode
        more = 0 if MOST.counted_by(made.facts) else OTHER_COMPILER
        assert served["MONOTONIC"] <= (MOST.clock if hz is None else MOST.without) + more, made.mode
        assert max(served.values()) <= (MOST.clock if hz is None else MOST.without + OTHER_ID) + more, made.mode
        if hz is None:
            day = found["gettimeofday", ""].instructions or 0
            assert day <= MOST.day + more
        if more:
            continue
        if hz is None:
            assert set(served.values()) == {PAGE["clock_gettime"]}
            assert day == PAGE["gettimeofday"]
            assert {found["clock_getres", name].instructions for name in CLOCKS} == {PAGE["clock_getres"]}
        else:
            assert served == dict.fromkeys(uptime, MONOTONIC[hz] + OTHER_ID) | {"MONOTONIC": MONOTONIC[hz]}, made.mode


def asks(found: dict[tuple[str, str], Count], name: str) -> bool:
    return found["clock_gettime", name].system_calls == 1


def test_budget_at_any_frequency(tmp_path: Path) -> None:
    dice = random.Random(5)
    chosen = {HZ_MIN + 1, HZ_MAX - 1, 10**9 - 1, 10**9 + 1, *(int(2 ** dice.uniform(15, 32.43)) for _ in range(12))}
    for made in make(tmp_path, "minimal", [Mode("none", hz) for hz in sorted(chosen)]):
        found = instructions(ours(made, RISCV64))
        assert (found["clock_gettime", "MONOTONIC"].instructions or 99) <= MOST.without, made.mode
        worst = max(found["clock_gettime", n].instructions or 99 for n, c in CLOCKS.items() if c in UPTIME_CLOCKS)
        assert worst <= MOST.without + OTHER_ID, made.mode


def test_size_and_shape(blobs: list[Made]) -> None:
    """Small leaf functions without a frame, a loop or a divide, in every mode; also those that only make a system call."""
    for made in blobs:
        seen = set()
        for export in made.facts["exports"]:
            if export["policy"] not in ("replace", "syscall"):
                continue
            seen.add(export["name"].removeprefix("__vdso_"))
            assert export["size"] <= BYTES_LIMIT, (made.mode, export)
            assert faults(made.image, export["address"], export["size"]) == [], (made.mode, export["name"])
            chain = multiplications(made.image[export["address"] : export["address"] + export["size"]])
            microseconds = export["name"] == "__vdso_gettimeofday"
            assert chain <= MULTIPLICATIONS + (microseconds or made.mode.hz is not None), (made.mode, export["name"])
        assert seen >= set(REPLACED)


CALLEE = "long g(long); __attribute__((noinline)) long g(long a) { return a ^ 5; } "
# C source of f() to the faults that must be found in it.
SABOTAGES = {
    "long f(long a, long b) { if (a < b) a = b; return a * b >> 3; }": set(),
    "long f(long n) { long r = 1; while (n > 3) { n = n * n ^ r; r += n; } return r; }": {"a loop"},
    "long f(long a, long b) { return a / b; }": {"a divide"},
    "unsigned f(unsigned a, unsigned b) { return a % b; }": {"a divide"},
    "long f(long a) { volatile long spilled = a; return spilled; }": {"a frame"},
    'long f(long a) { __asm__ volatile("mv s1, %0" :: "r"(a)); return a; }': {"a frame"},
    CALLEE + "long f(long a) { return g(a) + 1; }": {"a call", "a frame"},
    CALLEE + "long f(long a) { return g(a); }": {"a call"},
    'long f(long a) { __asm__ volatile("beqz %0, .+0x100" :: "r"(a)); return a; }': {"control leaves the function"},
    "long f(long (*g)(void)) { return g(); }": {"a call"},
    'long f(long a) { __asm__ volatile(".word 0xffffffff"); return a; }': {"not an instruction"},
}


@pytest.mark.parametrize("source", SABOTAGES)
def test_the_shape_check_can_fail(source: str, tmp_path: Path) -> None:
    linked = tmp_path / "f.elf"
    flags = [*CCFLAGS, "-nostdlib", "-Wl,-Ttext=0x1000", "-Wl,-e,f", "-x", "c", "-"]
    subprocess.run([COMPILER.cc, *flags, "-o", linked], input=source.encode(), check=True)
    elf = ELFFile(io.BytesIO(linked.read_bytes()))
    text = elf.get_section_by_name(".text")
    symbol = elf.get_section_by_name(".symtab").get_symbol_by_name("f")[0]
    found = faults(bytes(text["sh_addr"]) + text.data(), symbol["st_value"], symbol["st_size"])
    assert {re.split("[:,] ?", line)[1] for line in found} == SABOTAGES[source], found


def test_a_longer_chain_of_multiplications_is_found() -> None:
    code = bytes.fromhex("3305b502b305a5023306b5023385c502")  # mul a0,a0,a1; mul a1,a0,a0; mul a2,a0,a1; mul a0,a1,a2
    assert multiplications(code) == 4
    assert multiplications(code[:4] * 2 + bytes.fromhex("0145") + code[:4]) == 2  # c.li a0, 0 ends a chain


def test_another_compiler_takes_about_as_many(tmp_path: Path) -> None:
    """Within 2 of the limits, in as many bytes. compilers.py counts with every one that Debian has."""
    page = DataPage(kernel_side.build(tmp_path)).init(HZ).set_realtime(0, 1_700_000_000, 5)
    linked = stubs(tmp_path, "after", compiler="clang-19")
    machine = Machine(linked.image, linked.data_offset)
    machine.set_page(bytes(page))
    for clock in CLOCKS.values():
        result = machine.call(linked.functions["__vdso_clock_gettime"][0], clock, BUFFER, counter=10**12)
        assert result.words() == page.read(clock, 10**12)
        assert result.instructions <= MOST.clock + OTHER_COMPILER
    day = machine.call(linked.functions["__vdso_gettimeofday"][0], BUFFER, 0, counter=10**12)
    assert day.instructions <= MOST.day + OTHER_COMPILER
    for name in REPLACED:
        address, size = linked.functions[f"__vdso_{name}"]
        assert size <= BYTES_LIMIT
        assert faults(linked.image, address, size) == []
        assert multiplications(linked.code(f"__vdso_{name}")) <= MULTIPLICATIONS + (name == "gettimeofday")


def test_linux_answers_on_the_page_made_for_it(linux_vdsos: list[Path]) -> None:
    """All ids, with times that tell them apart: counts() compares each with what was put in."""
    for path in linux_vdsos:
        subject = theirs(path, RISCV64)
        assert subject is not None
        found = instructions(subject)
        assert {name for name in CLOCKS if asks(found, name)} == set(), path
        assert all(found[export, name].instructions for export in ("clock_gettime", "clock_getres") for name in CLOCKS), path
        assert found["gettimeofday", ""].instructions
        assert found["clock_gettime", "PROCESS_CPUTIME_ID"].system_calls == 1


def test_linux_needs_what_the_contract_says_and_more_than_ours(linux_vdsos: list[Path]) -> None:
    for path in linux_vdsos:
        subject = theirs(path, RISCV64)
        assert subject is not None
        took = instructions(subject)["clock_gettime", "MONOTONIC"].instructions or 0
        assert took == RISCV64.linux if "7.2.13" in path.name else took > MOST.clock


def test_a_wrong_time_is_not_counted(linux_vdsos: list[Path]) -> None:
    subject = theirs(linux_vdsos[0], RISCV64)
    assert subject is not None
    later = replace(subject, counter=linux.COUNTER + 1)
    with pytest.raises(Wrong, match=r"clock_gettime REALTIME gives .* it should give 1700000000\.12"):
        counts(later)
    function = subject.functions["clock_gettime"]
    with pytest.raises(Wrong, match="clock_getres"):
        counts(replace(subject, functions={"clock_getres": function}))


def test_a_base_without_data_of_linux(blobs: list[Made]) -> None:
    """The base of our own makes system calls: that is counted, and needs no page."""
    subject = theirs(blobs[0].folder.parent / "base.so", RISCV64)
    assert subject is not None
    found = instructions(subject)
    if subject.name == "minimal":
        assert found["clock_gettime", "MONOTONIC"] == Count(3, 1)


def test_the_table_has_every_call_and_every_reason() -> None:
    call = {"export": "", "case": "", "instructions": 33, "system_calls": 0, "reason": ""}
    ours = [call | {"export": c.export, "case": c.case} for c in CALLS]
    other = [c | {"system_calls": 1} for c in ours[:-1]] + [ours[-1] | {"instructions": None, "reason": "no such export"}]
    sizes = {c.export: 122 for c in CALLS}
    made = [{"name": "after", "bytes": sizes, "calls": ours}, {"name": "Linux 7.2.13", "bytes": {}, "calls": other}]
    lines = table.text(made).splitlines()
    assert lines[2].split() == ["after", "Linux"]
    assert lines[3].split() == ["7.2.13"]
    assert lines[4].split() == ["clock_gettime", "REALTIME", "33", "33+s"]
    assert sum("bytes of code" in line for line in lines) == len(sizes)
    assert next(line for line in lines if "bytes" in line).split() == ["bytes", "of", "code", "122", "-"]
    assert lines[-1] == "- getrandom: no such export (Linux 7.2.13)"


def test_every_mode_is_measured() -> None:
    assert [mode.title for mode in MODES[:4]] == ["after", "before", "none 32768 Hz", "none 10 MHz"]
    assert {mode.hz for mode in MODES} == {None, *MONOTONIC}
