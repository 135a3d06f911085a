# SPDX-License-Identifier: MIT
"""The order of memory on loongarch64: which readings of the manual the emitted code of a reader stands.

The executions are those of a weak model that is multi-copy atomic: what RVWMO (arch/riscv64/rvwmo.py) allows for accesses and
dependencies, with `dbar 0` as a fence of all loads and stores. Whether it holds the counter as well, nobody has written down:
both readings are tried. docs/memory-order.md has the table.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from arch.riscv64.rvwmo import Access, Fence
from memory_order.one_update import ALL, MEMORY, ROW, STATE, faults, writer
from scons_build import build
from vdso.arch.effects import Clobber, Memory
from vdso.arch.loongarch64.decode import decode, text


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the code of clock_gettime from its first load on, as far as it checks what it loads."""
    out = build(tmp_path_factory.mktemp("order"), "BASE=minimal", "ARCH=loongarch64")
    exports = json.loads((out / "vdso.json").read_text())["exports"]
    (export,) = (e for e in exports if e["name"] == "__vdso_clock_gettime")
    return (out / "vdso.so").read_bytes()[export["address"] :][: export["size"]]


def reader(
    code: bytes, held: frozenset[str], *, fences: Sequence[bool] = (True, True), depends: bool = True
) -> list[Access | Fence]:
    """Return what the code does to memory, in program order, up to the second load of state.

    held        what a `dbar 0` orders
    fences      which of the two are there
    depends     the address of the second load depends on the counter
    """
    found: list[Access | Fence] = []
    states, counter, number, row = 0, "", -1, ""
    zero: set[str] = set()  # registers that are made of the counter
    for at in range(0, len(code), 4):
        decoded = decode(code, at)
        assert decoded is not None
        effect, name = decoded[1], next(text(code, at, at + 4))[2].split()[0]
        accesses = sum(isinstance(item, Access) for item in found)
        if name == "dbar":
            if fences[number >= 0]:
                found.append(Fence(held, held))
        elif name == "rdtime.d":
            assert isinstance(effect, Clobber)
            (counter,) = effect.results
            number = accesses
            found.append(Access(reads=True, writes=False, counter=True))
        elif isinstance(effect, Clobber) and counter in effect.uses:
            zero |= set(effect.results)
        elif isinstance(effect, Memory) and not effect.stores:
            row = row or effect.base
            again = effect.index in zero
            assert effect.base == row
            mask = 1 << number if again and depends else 0
            found.append(Access(reads=True, writes=False, start=0 if again else effect.offset, size=8, address=mask))
            states += found[-1].start == STATE
            if states == 2:
                return found
    raise AssertionError("the second load of state was not found")


@pytest.mark.parametrize("held", [ALL, MEMORY], ids=["dbar holds the counter", "dbar holds memory alone"])
def test_no_reading_of_the_manual_breaks_a_reader(code: bytes, held: frozenset[str]) -> None:
    assert faults(reader(code, held), writer(MEMORY)) == set()


@pytest.mark.parametrize(
    ("held", "without", "wrong"),
    [
        (ALL, {"fences": (False, True)}, {"a mix"}),
        (ALL, {"fences": (True, False)}, {"a mix"}),
        (ALL, {"depends": False}, set()),
        (MEMORY, {"fences": (False, True)}, {"a mix"}),
        (MEMORY, {"fences": (True, False)}, {"a mix"}),
        (MEMORY, {"depends": False}, {"back"}),
    ],
)
def test_each_part_is_needed_in_one_reading_at_least(
    code: bytes, held: frozenset[str], without: dict[str, object], wrong: set[str]
) -> None:
    found = faults(reader(code, held, **without), writer(MEMORY))  # type: ignore[arg-type]
    assert found == wrong


def test_the_fence_behind_the_mark_is_needed(code: bytes) -> None:
    assert faults(reader(code, ALL), writer(MEMORY, marks=False)) == {"a mix", "back"}


def test_the_code_has_what_the_model_is_told(code: bytes) -> None:
    program = reader(code, ALL)
    kinds = ["fence" if isinstance(item, Fence) else "counter" if item.counter else item.start for item in program]
    assert kinds == [STATE, "fence", "counter", *ROW, "fence", STATE]
    assert isinstance(program[-1], Access)
    assert program[-1].address == 1 << 1, "of the counter, the second access"
