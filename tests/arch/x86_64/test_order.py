# SPDX-License-Identifier: MIT
"""The order of memory on x86-64: what each part of the emitted code of a reader, and of the writer's mark, is needed for.

The executions are those of x86-TSO (Sewell et al., "x86-TSO: A Rigorous and Usable Programmer's Model"): of two accesses of a
program only a load may overtake a store before it. It is multi-copy atomic, so the enumeration of the weak model does it,
with a fence between all accesses that holds what TSO holds. The counter is no memory: `rdtsc` waits for `lfence` alone, and
what is stored behind it becomes visible only when it is done. docs/memory-order.md has the table.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from pathlib import Path

import pytest
from arch.riscv64.rvwmo import Access, Fence, order, outcomes
from arch.x86_64.litmus import X86
from memory_order.herd import agreed, mixes
from memory_order.one_update import ALL, MEMORY, ROW, STATE, faults
from scons_build import build
from vdso.arch.effects import Clobber, Memory
from vdso.arch.x86_64.decode import decode, text
from vdso.arch.x86_64.facts import X86_64

TSO = (Fence(frozenset("r"), MEMORY), Fence(frozenset("w"), frozenset("w")), Fence(frozenset("i"), frozenset("w")))
LFENCE, MFENCE, BOTH = Fence(frozenset("ri"), ALL), Fence(MEMORY, MEMORY), Fence(ALL, ALL)
COUNTER = Access(reads=True, writes=False, counter=True)


def tso(items: Iterable[Access | Fence]) -> list[Access | Fence]:
    """Return a program with what TSO holds between its accesses."""
    return [part for item in items for part in ((item, *TSO) if isinstance(item, Access) else (item,))]


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the code of clock_gettime."""
    out = build(tmp_path_factory.mktemp("order"), "BASE=minimal", "ARCH=x86_64")
    exports = json.loads((out / "vdso.json").read_text())["exports"]
    (export,) = (e for e in exports if e["name"] == X86_64.export("clock_gettime"))
    return (out / "vdso.so").read_bytes()[export["address"] :][: export["size"]]


def reader(code: bytes, without: Collection[str] = ()) -> list[Access | Fence]:
    """Return what the code does to memory, in program order, up to the second load of state; `without`: parts of it."""
    found: list[Access | Fence] = []
    row = ""
    number = -1
    made: set[str] = set()  # registers that are made of the counter
    at = 0
    while at < len(code):
        decoded = decode(code, at)
        assert decoded is not None
        size, effect = decoded
        line = next(text(code, at, at + size))[2]
        at += size
        if line == "lfence":
            if "lfence" not in without:
                found.append(LFENCE)
        elif line == "rdtsc":
            assert isinstance(effect, Clobber)
            number = sum(isinstance(item, Access) for item in found)
            made = {*effect.results}
            found.append(COUNTER)
        elif isinstance(effect, Clobber):
            depends = bool(made & {*effect.uses})
            made = made | {*effect.results} if depends else made - {*effect.results}
        elif isinstance(effect, Memory):
            row = row or effect.base
            assert (effect.base, effect.stores) == (row, False)
            again = effect.index in made
            assert bool(effect.index) == again
            mask = 1 << number if again and "dependency" not in without else 0
            start = 0 if again else effect.offset
            found.append(Access(reads=True, writes=False, start=start, size=8, address=mask))
            if again:
                return found
            if not made & {*effect.uses}:
                made -= {*effect.results}
            else:
                made |= {*effect.results}
        elif made:
            made = kept(made, effect)
    raise AssertionError("the second load of state was not found")


def kept(made: set[str], effect: object) -> set[str]:
    """Return `made` behind an effect with one register: a copy or a part of what was made of the counter is made of it."""
    register, source = getattr(effect, "register", ""), getattr(effect, "source", "")
    return made | {register} if source in made else made - {register}


def writer(mark: Collection[Fence]) -> list[Access | Fence]:
    """Return an update of a row, with what TSO holds: the mark, the counter, all of the row, and the new state."""
    return tso(update(mark))


def update(mark: Collection[Fence]) -> list[Access | Fence]:
    stores = [Access(reads=False, writes=True, start=offset, size=8) for offset in (*ROW, STATE)]
    return [Access(reads=False, writes=True, start=STATE, size=8), *mark, COUNTER, *stores]


def test_the_code_has_what_the_model_is_told(code: bytes) -> None:
    program = reader(code)
    kinds = ["fence" if isinstance(item, Fence) else "counter" if item.counter else item.start for item in program]
    assert kinds[:3] == [STATE, "fence", "counter"]
    assert kinds[-1] == STATE
    assert {*kinds[3:-1]} == {*ROW}
    assert isinstance(program[-1], Access)
    assert program[-1].address == 1 << 1, "of the counter, the second access"


def test_nothing_goes_wrong(code: bytes) -> None:
    assert faults(tso(reader(code)), writer([BOTH])) == set()


def test_the_dependency_of_the_reader_is_needed(code: bytes) -> None:
    assert faults(tso(reader(code, ["dependency"])), writer([BOTH])) == {"back"}
    fenced = [*reader(code, ["dependency"])[:-1], LFENCE, reader(code)[-1]]
    assert faults(tso(fenced), writer([BOTH])) == set(), "as vdso_fence_reload() has it"


@pytest.mark.parametrize("mark", [[], [MFENCE], [LFENCE]], ids=["nothing", "mfence or lock", "lfence"])
def test_both_fences_of_the_mark_are_needed(code: bytes, mark: list[Fence]) -> None:
    assert faults(tso(reader(code)), writer(mark)) == {"back"}


def behind_a_message(read: list[Access | Fence]) -> bool:
    """Tell whether a reader that was told that another CPU has read the counter can have an earlier one."""
    flag = 1024
    told = Access(reads=True, writes=False, start=flag, size=8)
    tells = [COUNTER, Access(reads=False, writes=True, start=flag, size=8)]
    programs = [order(tso([told, *read])), order(tso(tells))]
    for outcome in outcomes(programs):
        flagged, *rest = outcome.reads[0]
        (mine,), (theirs,) = ([source for source in some if isinstance(source, int)] for some in (rest, outcome.reads[1]))
        if flagged is not None and mine < theirs:
            return True
    return False


def test_the_lfence_of_the_reader_is_needed(code: bytes) -> None:
    """A row is taken whole without it. But a program that has seen another's time would read an earlier one."""
    assert faults(tso(reader(code, ["lfence"])), writer([BOTH])) == set()
    assert not behind_a_message(reader(code)[:3])
    assert behind_a_message(reader(code, ["lfence"])[:2])


def test_the_mark_of_the_kernels_side_has_both(tmp_path_factory: pytest.TempPathFactory) -> None:
    """In C, where the header is compiled as a kernel does, and in Rust."""
    out = build(tmp_path_factory.mktemp("mark"), "BASE=minimal", "ARCH=x86_64")
    c, rust = ((out / name).read_text() for name in ("vdso.h", "vdso.rs"))
    assert re.search(r'vdso_fence_mark\(void\)\n\{\n\tVDSO_FENCE\("mfence\\n\\tlfence"\);', c)
    (mark,) = re.findall(r"^fn fence_mark\(\) \{(.*?)^\}", rust, re.M | re.S)
    assert 'core::arch::asm!("mfence", "lfence"' in mark


# ---- By herd7, whose model of x86-TSO is its authors' own.


@pytest.mark.parametrize("mark", [[], [LFENCE], [MFENCE], [BOTH]], ids=["nothing", "lfence", "mfence", "both"])
def test_herd7_allows_what_we_allow(code: bytes, mark: list[Fence], tmp_path: Path) -> None:
    """The reader has no mix, whatever the mark is: TSO keeps stores in order."""
    assert mixes(agreed(reader(code), update(mark), X86(), tmp_path, tso)) == set()


def test_herd7_needs_the_second_load_of_the_state(code: bytes, tmp_path: Path) -> None:
    *first, last = reader(code)
    at = next(at for at, item in enumerate(first) if isinstance(item, Access) and item.start in ROW)
    early = [*first[:at], last, *first[at:]]  # the row behind it
    found = agreed(early, update([BOTH]), X86(), tmp_path, tso)
    assert mixes({(*loads[:2], *loads[3:7], loads[2]) for loads in found})
