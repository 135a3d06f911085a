# SPDX-License-Identifier: MIT
"""The RISC-V memory model RVWMO: which values the loads of a few straight-line programs can return, exhaustively.

Source: "The RISC-V Instruction Set Manual, Volume I: Unprivileged ISA", chapter "RVWMO Memory Consistency Model". An
execution is a total order of all memory operations of all harts, the global memory order. It contains the *preserved
program order* (ppo) of each hart, and each load returns the latest, in it, of the stores that precede the load there or
in program order (the load value axiom; a store that precedes only in program order is one that is forwarded). So all
executions are found by taking one operation after the other whose ppo predecessors have been taken.

ppo, by the numbers of the manual. `a` stands before `b` in program order:

     1  b is a store to an address that a accesses too
     2  both are loads of one address, no store to it between them, and they return different stores
     3  b is a load and returns what an AMO a wrote
     4  a fence between them orders them
     9  b has an address dependency on a
    10  b has a data dependency on a
    11  b is a store and has a control dependency on a
    12  b is a load and returns what a store m between them wrote, which has an address or data dependency on a
    13  b is a store, and an access m between them has an address dependency on a

Rules 5 to 8 are about aq and rl bits and LR/SC pairs. Neither occurs in what we emit; `litmus_of_code` refuses them.
Rules 2, 3 and 12 depend on what loads return, so they are applied during the enumeration; the others are known before.

The counter. Reading `time` is no memory operation of the manual's chapter. Zicsr says of CSR accesses: weakly ordered
by default, not ordered with memory accesses but by syntactic dependencies and by FENCE, where a read is device input
(`i`); "informally, the CSR space acts as a weakly ordered memory-mapped I/O region"; and a hart observes its own CSR
accesses in program order. So a counter read is an operation in the global memory order like a load of a variable that a
further agent counts up at will: rules 4 and 9 to 13 apply to it, and rule 2 among the counter reads of one hart.
A counter that is a word of a device (mtime) is the same, with a load in place of the CSR access; where the memory
attributes of its page are not those of a device, fences name the load r.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

HartAccess = tuple[int, int]
"""A hart, and the number of one of its accesses."""
Source = HartAccess | int | None
"""What a read returned: the store; None: what was there before; for a counter read how often it ticked."""


State = tuple[int, tuple[Source, ...], int, tuple[Source, ...]]
"""In the middle of an execution: which accesses are done, memory, ticks, what was returned so far."""
Wanted = tuple[tuple[HartAccess, ...], frozenset[tuple[Source, ...]]]
"""Some reads, and the choices of what they return."""


@dataclass(frozen=True)
class Access:
    """One memory operation. `address`, `data` and `control` are bit masks: on which accesses of its hart it depends.

    letter      of a counter read, in fences: i for a CSR and for a word of a device, r for a word of memory
    """

    reads: bool
    writes: bool
    start: int = 0
    size: int = 0
    counter: bool = False
    letter: str = "i"
    address: int = 0
    data: int = 0
    control: int = 0

    def overlaps(self, other: Access) -> bool:
        return self.start < other.start + other.size and other.start < self.start + self.size

    @property
    def classes(self) -> frozenset[str]:
        """Return the letters by which fences name the access."""
        return frozenset(self.letter if self.counter else "r" * self.reads + "w" * self.writes)


@dataclass(frozen=True)
class Fence:
    """`fence before,after`, in the letters i, o, r, w."""

    before: frozenset[str]
    after: frozenset[str]

    def __str__(self) -> str:
        return "fence " + ",".join("".join(c for c in "iorw" if c in side) for side in (self.before, self.after))


@dataclass(frozen=True)
class Program:
    """The accesses of one hart and what is known of their order.

    before      for each access a mask of those that precede it in ppo, as far as that is known beforehand
    feeds       for each store a mask of those on which its address or data depends (rule 12)
    """

    accesses: tuple[Access, ...]
    before: tuple[int, ...]
    feeds: tuple[int, ...]


@dataclass(frozen=True)
class Outcome:
    """reads: for each hart, for each of its accesses, what it returned; memory: the last store to each address."""

    reads: tuple[tuple[Source, ...], ...]
    memory: tuple[tuple[int, Source], ...]


def bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def order(items: Sequence[Access | Fence]) -> Program:
    """Reduce program order to preserved program order, by rules 1, 4, 9, 10, 11 and 13."""
    accesses: list[Access] = []
    before: list[int] = []
    fences: list[tuple[Fence, int]] = []  # with a mask of the earlier accesses that they hold back others for
    addressed = 0  # those on which an address so far depends (rule 13)
    for item in items:
        if isinstance(item, Fence):
            fences.append((item, sum(1 << i for i, a in enumerate(accesses) if a.classes & item.before)))
            continue
        mask = item.address | item.data
        for fence, held in fences:
            if item.classes & fence.after:
                mask |= held
        if item.writes:
            mask |= item.control | addressed
            mask |= sum(1 << i for i, a in enumerate(accesses) if a.overlaps(item))
        addressed |= item.address
        accesses.append(item)
        before.append(mask)
    return Program(tuple(accesses), tuple(before), tuple(a.address | a.data for a in accesses))


class _Machine:
    """All harts at once: accesses are numbered through, and sets of them are bit masks."""

    def __init__(self, programs: Sequence[Program], wanted: Sequence[Wanted]) -> None:
        self.names = [(h, i) for h, program in enumerate(programs) for i in range(len(program.accesses))]
        number = {name: g for g, name in enumerate(self.names)}
        self.accesses = [programs[h].accesses[i] for h, i in self.names]
        shift = [number.get((h, 0), 0) for h in range(len(programs))]
        self.before = [programs[h].before[i] << shift[h] for h, i in self.names]
        self.feeds = [programs[h].feeds[i] << shift[h] for h, i in self.names]
        self.all = (1 << len(self.names)) - 1
        self.reading = [g for g, a in enumerate(self.accesses) if a.reads]
        self.slot = {g: k for k, g in enumerate(self.reading)}
        self.wanted: dict[int, list[tuple[list[int], frozenset[tuple[Source, ...]]]]] = {g: [] for g in self.reading}
        for reads, sources in wanted:
            group = [number[read] for read in reads]
            for g in group:
                self.wanted[g].append((group, sources))
        self.ranges = sorted({(a.start, a.size) for a in self.accesses if not a.counter})
        for (start, size), (following, _) in zip(self.ranges, self.ranges[1:], strict=False):
            if start + size > following:
                raise ValueError(f"accesses of different sizes overlap at {following:#x}")
        place = {r: k for k, r in enumerate(self.ranges)}
        self.place = [-1 if a.counter else place[a.start, a.size] for a in self.accesses]
        self.own_stores: list[list[int]] = []  # to the same place, earlier in program order, the nearest first
        self.twins: list[list[int]] = []  # later reads that rule 2 relates to this one
        self.rivals: list[int] = []  # of other harts: for a read the stores to its place, for a store all accesses
        for g, access in enumerate(self.accesses):
            hart, _ = self.names[g]
            same = [f for f, p in enumerate(self.place) if p == self.place[g]]
            own = [f for f in same if self.names[f][0] == hart]
            self.own_stores.append([f for f in reversed(own) if self.accesses[f].writes and f < g])
            between = next((f for f in own if f > g and self.accesses[f].writes), len(self.names))
            self.twins.append([f for f in own if access.reads and g < f <= between and self.accesses[f].reads])
            others = [f for f in same if self.names[f][0] != hart and (access.writes or self.accesses[f].writes)]
            self.rivals.append(sum(1 << f for f in others))

    def source(self, g: int, done: int, latest: tuple[Source, ...]) -> tuple[bool, Source]:
        """Tell whether read `g` can be taken now, and what it returns."""
        pending = next((s for s in self.own_stores[g] if not done >> s & 1), None)
        if pending is None:
            return True, latest[self.place[g]]
        forwards = not self.accesses[pending].reads and not self.feeds[pending] & ~done  # rules 3 and 12
        return forwards, self.names[pending]

    def agrees(self, g: int, done: int, returned: Source, results: tuple[Source, ...]) -> bool:
        """Tell whether read `g` keeps rule 2, with later reads of the same place that were taken before it, and is wanted."""
        for group, sources in self.wanted[g]:
            known = [(k, results[self.slot[f]]) for k, f in enumerate(group) if done >> f & 1]
            known.append((group.index(g), returned))
            if not any(all(choice[k] == source for k, source in known) for choice in sources):
                return False
        return all(returned == results[self.slot[f]] for f in self.twins[g] if done >> f & 1)


def outcomes(programs: Sequence[Program], wanted: Sequence[Wanted] = ()) -> set[Outcome]:
    """Return all outcomes; with `wanted` only those in which the reads of each entry return one of its choices of sources."""
    m = _Machine(programs, wanted)
    start = (0, (None,) * len(m.ranges), -1, (None,) * len(m.reading))
    seen, stack, ends = {start}, [start], set()
    while stack:
        state = stack.pop()
        done, latest, ticks, results = state
        if done == m.all:
            ends.add((latest, results))
            continue
        for following in _following(m, done, latest, ticks, results):
            if following not in seen:
                seen.add(following)
                stack.append(following)
    return {_named(m, len(programs), latest, results) for latest, results in ends}


def _following(m: _Machine, done: int, latest: tuple[Source, ...], ticks: int, results: tuple[Source, ...]) -> list[State]:
    """Return the states that the next operation may lead to."""
    following: list[State] = []
    for g in bits(m.all & ~done):
        if m.before[g] & ~done:
            continue
        access = m.accesses[g]
        if access.counter:
            # the agent ticks only where it shows: between two counter reads
            options: list[tuple[Source, int]] = [(t, t) for t in ((ticks, ticks + 1) if ticks >= 0 else (0,))]
        elif access.reads:
            possible, returned = m.source(g, done, latest)
            options = [(returned, ticks)] if possible else []
        else:
            options = [(None, ticks)]
        memory = latest
        if access.writes:
            memory = (*latest[: m.place[g]], m.names[g], *latest[m.place[g] + 1 :])
        states: list[State] = []
        for returned, t in options:
            if not access.reads:
                states.append((done | 1 << g, memory, t, results))
            elif m.agrees(g, done, returned, results):
                after = (*results[: m.slot[g]], returned, *results[m.slot[g] + 1 :])
                states.append((done | 1 << g, memory, t, after))
        # What no other hart can any more disturb or notice may as well happen now: no outcome is lost by that.
        if options and not access.counter and not m.rivals[g] & ~done:
            return states
        following += states
    return following


def _named(m: _Machine, harts: int, latest: tuple[Source, ...], results: tuple[Source, ...]) -> Outcome:
    reads: list[list[Source]] = [[] for _ in range(harts)]
    for g, (hart, _) in enumerate(m.names):
        reads[hart].append(results[m.slot[g]] if g in m.slot else None)
    return Outcome(tuple(map(tuple, reads)), tuple((start, s) for (start, _), s in zip(m.ranges, latest, strict=True)))
