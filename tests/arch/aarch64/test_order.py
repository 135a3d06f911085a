# SPDX-License-Identifier: MIT
"""The order of memory on aarch64: what each part of the emitted code of a reader, and of the writer's mark, is needed for.

The executions are those of a weak model that is multi-copy atomic, as AArch64 is. The counter is no memory: `dmb` does not
hold it. A branch with an `isb` behind it holds the loads that the branch depends on before all that follows.
docs/memory-order.md has the table.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

import pytest
from arch.aarch64.litmus import AArch64
from arch.aarch64.written import update_of_row
from arch.riscv64.rvwmo import Access, Fence
from memory_order.herd import agreed, mixes
from memory_order.one_update import ALL, MEMORY, ROW, STATE, faults, writer
from scons_build import build
from vdso.arch.aarch64.decode import decode, text
from vdso.arch.aarch64.facts import AARCH64
from vdso.arch.effects import Branch, Clobber, Memory

LOADS = frozenset("r")
PARTS = ("branch", "isb", "dmb", "dependency")


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the code of clock_gettime."""
    out = build(tmp_path_factory.mktemp("order"), "BASE=minimal", "ARCH=aarch64")
    exports = json.loads((out / "vdso.json").read_text())["exports"]
    (export,) = (e for e in exports if e["name"] == AARCH64.export("clock_gettime"))
    return (out / "vdso.so").read_bytes()[export["address"] :][: export["size"]]


def reader(code: bytes, without: Collection[str] = ()) -> list[Access | Fence]:
    """Return what the code does to memory, in program order, up to the second load of state; `without`: parts of it."""
    found: list[Access | Fence] = []
    state, counter, number, row = "", "", -1, ""
    branched = False  # on the state that was loaded
    zero: set[str] = set()  # registers that are made of the counter
    for at in range(0, len(code), 4):
        decoded = decode(code, at)
        assert decoded is not None
        effect, line = decoded[1], next(text(code, at, at + 4))[2]
        if isinstance(effect, Branch) and state and state in effect.uses:
            branched = "branch" not in without
        elif line == "isb":
            if branched and "isb" not in without:
                found.append(Fence(LOADS, ALL))
        elif line == "dmb ishld":
            if "dmb" not in without:
                found.append(Fence(LOADS, MEMORY))
        elif line.startswith("mrs"):
            assert isinstance(effect, Clobber)
            (counter,) = effect.results
            number = sum(isinstance(item, Access) for item in found)
            found.append(Access(reads=True, writes=False, counter=True))
        elif isinstance(effect, Clobber) and counter and counter in effect.uses:
            zero |= set(effect.results)
        elif isinstance(effect, Memory) and not effect.stores:
            row = row or effect.base
            again = effect.index in zero
            assert effect.base == row
            mask = 1 << number if again and "dependency" not in without else 0
            found.append(Access(reads=True, writes=False, start=0 if again else effect.offset, size=8, address=mask))
            if again:
                return found
            state = state or effect.results[0]
    raise AssertionError("the second load of state was not found")


def test_the_code_has_what_the_model_is_told(code: bytes) -> None:
    program = reader(code)
    kinds = ["fence" if isinstance(item, Fence) else "counter" if item.counter else item.start for item in program]
    assert kinds == [STATE, "fence", "counter", *ROW, "fence", STATE]
    assert isinstance(program[-1], Access)
    assert program[-1].address == 1 << 1, "of the counter, the second access"


def test_nothing_goes_wrong(code: bytes) -> None:
    assert faults(reader(code), writer(MEMORY)) == set()


@pytest.mark.parametrize(
    ("without", "wrong"),
    [("branch", {"a mix"}), ("isb", {"a mix"}), ("dmb", {"a mix"}), ("dependency", {"back"})],
)
def test_each_part_of_the_reader_is_needed(code: bytes, without: str, wrong: set[str]) -> None:
    assert faults(reader(code, [without]), writer(MEMORY)) == wrong


def test_the_fences_of_the_writer_are_needed(code: bytes) -> None:
    """A `dmb` in its place would hold the row, and not the counter."""
    assert faults(reader(code), writer(MEMORY, marks=False)) == {"a mix", "back"}
    released = [item for item in writer(MEMORY) if item != Fence(MEMORY, MEMORY)]
    assert faults(reader(code), released) == {"a mix"}
    held = [Fence(MEMORY, MEMORY) if item == Fence(ALL, ALL) else item for item in writer(MEMORY)]
    assert faults(reader(code), held) == {"back"}


MONOTONIC, BOOTTIME = 1, 7


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("written")


@pytest.mark.parametrize("row", [MONOTONIC, BOOTTIME])
def test_the_code_of_a_kernel_is_the_writer_that_the_model_is_told(row: int, written: Path) -> None:
    """Between the counter and the release it may store the row's own words in any order, and more than once."""
    update, told = update_of_row(written, row), writer(MEMORY)
    assert [update[at] for at in (0, 1, 2, -2, -1)] == [told[at] for at in (0, 1, 2, -2, -1)]
    assert {item.start for item in update[3:-2] if isinstance(item, Access)} == set(ROW)
    assert sum(isinstance(item, Fence) for item in update) == 2


def test_nothing_goes_wrong_between_both_codes(code: bytes, written: Path) -> None:
    assert faults(reader(code), update_of_row(written, MONOTONIC)) == set()


@pytest.mark.parametrize(("fence", "wrong"), [(0, {"a mix", "back"}), (1, {"a mix"})], ids=["mark", "release"])
def test_each_fence_of_a_kernels_code_is_needed(fence: int, wrong: set[str], code: bytes, written: Path) -> None:
    update = update_of_row(written, MONOTONIC)
    fences = [at for at, item in enumerate(update) if isinstance(item, Fence)]
    del update[fences[fence]]
    assert faults(reader(code), update) == wrong


# ---- By herd7, whose model of AArch64 is its makers' own.


def test_herd7_finds_no_fault(code: bytes, tmp_path: Path) -> None:
    assert mixes(agreed(reader(code), writer(MEMORY), AArch64(), tmp_path)) == set()


@pytest.mark.parametrize("part", PARTS)
def test_herd7_needs_each_part_of_the_reader(code: bytes, part: str, tmp_path: Path) -> None:
    """Where a word of memory stands for the counter `dmb` holds it too, so that no fault comes of a missing dependency."""
    assert bool(mixes(agreed(reader(code, [part]), writer(MEMORY), AArch64(), tmp_path))) == (part != "dependency")


@pytest.mark.parametrize("fence", [0, 1], ids=["mark", "release"])
def test_herd7_needs_the_fences_of_the_writer(code: bytes, fence: int, tmp_path: Path) -> None:
    write = writer(MEMORY)
    del write[[at for at, item in enumerate(write) if isinstance(item, Fence)][fence]]
    assert mixes(agreed(reader(code), write, AArch64(), tmp_path))


def test_herd7_allows_what_we_allow_of_both_codes(code: bytes, written: Path, tmp_path: Path) -> None:
    assert agreed(reader(code), update_of_row(written, MONOTONIC), AArch64(), tmp_path)
