# SPDX-License-Identifier: MIT
"""What can go wrong between one reader of a row and one update of it, by a weak model that is multi-copy atomic.

The model is that of RISC-V (arch/riscv64/rvwmo.py), with the fences of another architecture by what they hold in order.
"""

from __future__ import annotations

from collections.abc import Sequence

from arch.riscv64.rvwmo import Access, Fence, Outcome, order, outcomes

STATE, ROW = 0, (8, 16, 24, 32)
"""Offsets of what a reader loads and checks."""
MEMORY, ALL = frozenset("rw"), frozenset("rwi")


def writer(held: frozenset[str], marks: bool = True) -> list[Access | Fence]:
    """Return an update of a row: the mark, the counter, all of the row, and the new state."""
    stores = [Access(reads=False, writes=True, start=offset, size=8) for offset in (*ROW, STATE)]
    mark: list[Access | Fence] = [Access(reads=False, writes=True, start=STATE, size=8)]
    counter = Access(reads=True, writes=False, counter=True)
    fence = [Fence(held | {"i"}, held | {"i"})] if marks else []
    return [*mark, *fence, counter, *stores[:-1], Fence(MEMORY, MEMORY), stores[-1]]


def believed(outcome: Outcome, program: Sequence[Access | Fence]) -> tuple[str, set[str], int, int]:
    """Return what a reader of this outcome believes: which state, which rows, and the counters of reader and writer."""
    accesses = [item for item in program if isinstance(item, Access)]
    mine, others = outcome.reads
    states = [source for access, source in zip(accesses, mine, strict=True) if not access.counter and access.start == STATE]
    (ticks,) = (source for access, source in zip(accesses, mine, strict=True) if access.counter)
    mark, last = (1, 0), (1, len(others) - 1)
    if states[0] != states[1] or states[0] == mark:
        return "neither", set(), 0, 0
    rows = {"old" if s is None else "new" for a, s in zip(accesses, mine, strict=True) if not a.counter and a.start != STATE}
    (writers,) = (source for source in others if isinstance(source, int))
    assert isinstance(ticks, int)
    return ("new" if states[0] == last else "old"), rows, ticks, writers


def faults(read: Sequence[Access | Fence], write: Sequence[Access | Fence]) -> set[str]:
    """Return what can go wrong: a mix that is believed, or an old row with a counter that the writer has not reached."""
    found = set()
    for outcome in outcomes([order(read), order(write)]):
        state, rows, mine, writers = believed(outcome, read)
        if state == "neither":
            continue
        if rows != {state}:
            found.add("a mix")
        if state == "old" and mine > writers:
            found.add("back")
    return found
