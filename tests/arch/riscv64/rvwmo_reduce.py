# SPDX-License-Identifier: MIT
"""Leaves out of a litmus test what cannot change its outcome, so that whole functions can be enumerated.

A place that no *other* hart writes holds no surprise: rule 1 puts the stores of its only writer into program order, and
no later store of that hart can pass one of its loads, so each such load returns the nearest earlier store of its own
hart (or what was there before) in every execution. So it is known beforehand where rules 3 and 12 apply to it. Loads of
such places, and stores that no other hart can see, are therefore left out after their order has been handed on: of the
transitive closure of ppo what remains stays. What is left out and what it returned is kept: `Reduced.whole` gives the
outcome of the whole test. test_rvwmo.py compares that with the enumeration of the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from arch.riscv64.rvwmo import Access, HartAccess, Outcome, Program, Source, bits


@dataclass(frozen=True)
class Reduced:
    """For each hart the indices of the accesses that remain, and what those return whose return was known beforehand."""

    programs: tuple[Program, ...]
    kept: tuple[tuple[int, ...], ...]
    known: tuple[tuple[Source, ...], ...]

    def place(self, hart: int, access: int) -> HartAccess | None:
        """Return where an access of the whole programs is now; None if it is left out."""
        return (hart, self.kept[hart].index(access)) if access in self.kept[hart] else None

    def old(self, place: HartAccess) -> HartAccess:
        """Return the place in the whole programs of an access of the reduced ones."""
        return place[0], self.kept[place[0]][place[1]]

    def returned(self, outcome: Outcome, hart: int, access: int) -> Source:
        """Return what an access of the whole programs returned; None for stores."""
        place = self.place(hart, access)
        source = None if place is None else outcome.reads[hart][place[1]]
        if source is None:
            return self.known[hart][access]
        return self.old(source) if isinstance(source, tuple) else source

    def whole(self, outcome: Outcome) -> tuple[tuple[Source, ...], ...]:
        """Return what each access of the whole programs returned."""
        return tuple(tuple(self.returned(outcome, h, i) for i in range(len(row))) for h, row in enumerate(self.known))


def reduce(programs: Sequence[Program]) -> Reduced:
    done = [_without_private(programs, hart) for hart in range(len(programs))]
    return Reduced(*(tuple(column) for column in zip(*done, strict=True)))  # type: ignore[arg-type]


def _without_private(programs: Sequence[Program], hart: int) -> tuple[Program, tuple[int, ...], tuple[Source, ...]]:
    program = programs[hart]
    others = [a for h, p in enumerate(programs) if h != hart for a in p.accesses]
    touched = sorted({(a.start, a.size) for a in others if a.reads or a.writes})
    written = sorted({(a.start, a.size) for a in others if a.writes})
    before, known, remain = list(program.before), [], {}
    for i, access in enumerate(program.accesses):
        source: Source = None
        open_read = access.counter or (access.reads and _meets(access, written))
        if access.reads and not open_read:
            for store in _sources(program.accesses, i):
                source = (hart, store)
                before[i] |= program.feeds[store]  # rule 12
                if program.accesses[store].reads:
                    before[i] |= 1 << store  # rule 3
        if open_read or (access.writes and _meets(access, touched)):
            remain[i] = replace(access, reads=open_read)
        known.append(source)
    closed: list[int] = []
    for direct in before:
        closed.append(direct)
        for i in bits(direct):
            closed[-1] |= closed[i]
    rank = {old: new for new, old in enumerate(remain)}

    def remaining(mask: int) -> int:
        return sum(1 << rank[i] for i in bits(mask) if i in rank)

    def feeding(mask: int) -> int:
        """Return what must happen before all of `mask` has: the accesses of it that remain, and those before the rest."""
        for i in bits(mask):
            mask |= 0 if i in rank else closed[i]
        return remaining(mask)

    orders = (tuple(remaining(closed[i]) for i in remain), tuple(feeding(program.feeds[i]) for i in remain))
    return Program(tuple(remain.values()), *orders), tuple(remain), tuple(known)


def _meets(access: Access, ranges: Sequence[tuple[int, int]]) -> bool:
    return any(start < access.start + access.size and access.start < start + size for start, size in ranges)


def _sources(accesses: Sequence[Access], load: int) -> list[int]:
    """Return the stores that the bytes of a load come from, if its hart is the only writer; in program order."""
    missing = set(range(accesses[load].start, accesses[load].start + accesses[load].size))
    found = []
    for i in range(load - 1, -1, -1):
        store = accesses[i]
        if store.writes and missing & (written := set(range(store.start, store.start + store.size))):
            found.append(i)
            missing -= written
    return found[::-1]
