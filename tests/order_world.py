# SPDX-License-Identifier: MIT
"""Readers and writers of the data page on several harts: what user programs can see, in every execution of RVWMO.

The events come from the emitted code, and so does what an outcome means: the reader's code runs again on the values
that its loads returned, and answers or makes the system call.

Time goes in ticks, of a second each, and may tick before any read of the counter. What a writer stores follows from its
samples of the counter, so its code runs for each combination of those; and a reader has more than one path that ends in
an answer, so each is taken, and an outcome counts only if the values in it lead down that path.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from code_trace import BUFFER, STACK, Run, Step, Tracer
from linked_code import DATA, compile_source, link
from litmus_of_code import Item, fence, is_fence, items, weakened
from order_scenarios import ANSWER, FLAGS, Call, HartCall, Scenario, Verdict, Weak
from rvwmo import Access, Fence, Outcome, Program, Source, order, outcomes
from rvwmo_reduce import reduce
from stub_build import compile_stub

HZ = 10**7
START, TICK = 10**12, HZ  # the counter before the first tick, and how far each goes
ROW = 64
EMPTY = bytes(4096)
Steps = tuple[Step, ...]
Items = tuple[tuple[Item, ...], ...]


@dataclass(frozen=True)
class Code:
    """What the calls of each hart execute, with what they stored in that run; and the page before, between and after."""

    steps: tuple[tuple[Steps, ...], ...]
    pages: tuple[bytes, ...]

    def items(self) -> Items:
        return tuple(tuple(items(calls)) for calls in self.steps)

    def stored(self) -> dict[Source, int]:
        """To each access (hart, number) its value."""
        values = [[step.value for call in calls for step in call if step.accesses] for calls in self.steps]
        return {(hart, i): value for hart, row in enumerate(values) for i, value in enumerate(row)}


@dataclass(frozen=True)
class Load:
    """One that a read made: its number among the accesses of its call, and what it returned."""

    number: int
    start: int
    size: int
    value: int


@dataclass(frozen=True)
class Read:
    """What a call made of what it loaded; `asked`: it made the system call."""

    asked: bool
    answer: tuple[int, int]
    loads: tuple[Load, ...]

    def mixed(self, pages: Sequence[bytes]) -> bool:
        """Is what it loaded, but for the states, what the row was in none of these states of the page."""
        fields = [load for load in self.loads if (load.start - DATA) % ROW]
        return not any(all(_word(page, load.start, load.size) == load.value for load in fields) for page in pages)


@dataclass
class World:
    """All the code there is, linked once, and a machine to run it. flags: what the kernel's side is compiled with, too."""

    folder: Path
    flags: tuple[str, ...] = ()
    _known: dict[object, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        stubs = [compile_stub(self.folder, name) for name in ("clock_gettime", "gettimeofday", "clock_getres")]
        source = Path(__file__).with_name("order_kernel.c")
        linked = link(self.folder, [*stubs, compile_source(source, self.folder / "order_kernel.o", *self.flags)])
        self._functions = linked.functions
        self._tracer = Tracer(linked.image, DATA)

    def page(self, *calls: Call) -> bytes:
        """What is made of an empty page by these calls, without a tick."""
        page = EMPTY
        for call in calls:
            self._run(call, page)
            page = self._tracer.page
        return page

    def fences(self, call: Call, page: bytes) -> list[Fence]:
        return [fence(step) for step in self._run(call, page).steps if is_fence(step)]

    def verdict(self, scenario: Scenario, *weak: Weak) -> Verdict:
        mix = back = answers = False
        for reads, pages in self.executions(scenario, *weak):
            answered = {name: read for name, read in reads.items() if not read.asked}
            answers = answers or bool(answered)
            mix = mix or any(read.mixed(pages) for read in answered.values())
            pairs = [(answered[a], answered[b]) for a, b in scenario.later if a in answered and b in answered]
            back = back or any(second.answer < first.answer for first, second in pairs)
        return Verdict(mix, back, answers)

    def executions(self, scenario: Scenario, *weak: Weak) -> Iterator[tuple[dict[HartCall, Read], tuple[bytes, ...]]]:
        """For each outcome what the reading calls made of it, and the states that the page went through."""
        nominal = next(self._codes(scenario, weak, ())).items()
        counters, samples = _counters(nominal), _counters(nominal, scenario)
        shapes: dict[Items, dict[tuple[Source, ...], Code]] = {}
        for ticks in itertools.product(range(len(counters)), repeat=len(samples)):
            for code in self._codes(scenario, weak, ticks):
                shapes.setdefault(code.items(), {})[ticks] = code
        for shape, codes in shapes.items():
            reduced = reduce([order(hart) for hart in shape])
            new = {(h, old): (h, k) for h, kept in enumerate(reduced.kept) for k, old in enumerate(kept)}
            required = tuple((new[load], new[store]) for load, store in _messages(shape))
            for outcome in self._outcomes(reduced.programs, required):
                returned = reduced.whole(outcome)
                code = codes.get(tuple(returned[h][i] for h, i in _counters(shape, scenario)))
                reads = None if code is None else self._reads(scenario, weak, code, shape, returned)
                if code is not None and reads is not None:
                    yield reads, code.pages

    def _run(self, call: Call, page: bytes, hart: int = 0, ticks: Iterator[Source] | None = None, **kw: Mapping[int, int]) -> Run:
        """The call on this page; its samples of the counter are taken at these ticks, else at the start."""
        buffer = BUFFER + 0x40 * hart
        values = [buffer if a == ANSWER else a for a in call.arguments]
        registers = {f"a{i}": value for i, value in enumerate(values)} | {"sp": STACK + 0x400 * (hart + 1)}

        def counter(_: int) -> int:
            tick = next(ticks) if ticks else 0
            assert isinstance(tick, int)
            return START + TICK * tick

        self._tracer.page = page
        return self._tracer.run(self._functions[call.function], registers, counter, buffer=buffer, **kw)

    def _codes(self, scenario: Scenario, weak: tuple[Weak, ...], ticks: tuple[Source, ...]) -> Iterator[Code]:
        """What all harts execute if the writers take their samples at these ticks: one for each choice of readers' paths."""
        runs, pages = self._written(scenario, ticks)
        harts = [
            [[runs[h, c]] if (h, c) in runs else self._paths(call, h, pages) for c, call in enumerate(calls)]
            for h, calls in enumerate(scenario.harts)
        ]
        for choice in itertools.product(*itertools.chain(*harts)):
            chosen = iter(choice)
            steps = tuple(tuple(_weakened(call, next(chosen), weak) for call in calls) for calls in scenario.harts)
            yield Code(steps, pages)

    def _written(self, scenario: Scenario, ticks: tuple[Source, ...]) -> tuple[dict[HartCall, Run], tuple[bytes, ...]]:
        """All calls that don't read, one hart after the other, each on the page that the one before has left."""
        key = (scenario.start, scenario.harts, ticks)
        if key not in self._known:
            samples = itertools.chain(ticks, itertools.repeat(0))
            runs, pages = {}, [scenario.start]
            for hart, calls in enumerate(scenario.harts):
                for number, call in enumerate(calls):
                    if not call.reads:
                        runs[hart, number] = self._run(call, pages[-1], hart, samples)
                        pages.append(self._tracer.page)
            self._known[key] = (runs, tuple(pages))
        return self._known[key]  # type: ignore[return-value]

    def _paths(self, call: Call, hart: int, pages: tuple[bytes, ...]) -> list[Run]:
        """Runs that answer, one for each path: the counter may be ahead of the row's base, or behind."""
        key = (call, hart, pages)
        if key not in self._known:
            paths: dict[tuple[Item, ...], Run] = {}
            for page, tick in itertools.product(pages, (len(pages), -1)):
                run = self._run(call, page, hart, iter([tick]))
                if not run.asked:
                    paths.setdefault(tuple(items([run.steps])), run)
            self._known[key] = list(paths.values())
        return self._known[key]  # type: ignore[return-value]

    def _outcomes(self, programs: tuple[Program, ...], required: tuple[tuple[HartCall, HartCall], ...]) -> set[Outcome]:
        key = (programs, required)
        if key not in self._known:
            self._known[key] = outcomes(programs, dict(required))
        return self._known[key]  # type: ignore[return-value]

    def _reads(
        self, scenario: Scenario, weak: tuple[Weak, ...], code: Code, shape: Items, returned: tuple[tuple[Source, ...], ...]
    ) -> dict[HartCall, Read] | None:
        """None: the values lead down another path than that whose events these are."""
        stored, reads = code.stored(), {}
        for hart, calls in enumerate(scenario.harts):
            accesses, first = _accesses(shape[hart]), 0
            for number, call in enumerate(calls):
                steps = code.steps[hart][number]
                end = first + sum(step.accesses for step in steps)
                if call.reads:
                    loads, tick = [], 0
                    for i in range(first, end):
                        source, access = returned[hart][i], accesses[i]
                        if access.counter:
                            tick = source  # type: ignore[assignment]
                        elif access.reads:
                            old = _word(scenario.start, access.start, access.size)
                            value = old if source is None else stored[source]
                            loads.append(Load(i - first, access.start, access.size, value))
                    read = self._read(call, hart, weak, steps, tuple(loads), tick)
                    if read is None:
                        return None
                    reads[hart, number] = read
                first = end
        return reads

    def _read(
        self, call: Call, hart: int, weak: tuple[Weak, ...], steps: Steps, loads: tuple[Load, ...], tick: int
    ) -> Read | None:
        key = (call, hart, weak, steps, loads, tick)
        if key not in self._known:
            run = self._run(call, EMPTY, hart, iter([tick]), loads={load.number: load.value for load in loads})
            other = not run.asked and items([_weakened(call, run, weak)]) != items([steps])
            self._known[key] = None if other else Read(run.asked, run.answer, loads)
        return self._known[key]  # type: ignore[return-value]


def _word(page: bytes, start: int, size: int) -> int:
    return int.from_bytes(page[start - DATA : start - DATA + size], "little")


def _weakened(call: Call, run: Run, weak: tuple[Weak, ...]) -> Steps:
    steps = run.steps
    for change in sorted(weak, key=lambda w: -w.ordinal):
        if (change.side == "writes" and call.writes) or (change.side == "reads" and call.reads):
            steps = weakened(steps, change.ordinal, change.instead)
    return steps


def _accesses(hart: Sequence[Item]) -> list[Access]:
    return [item for item in hart if isinstance(item, Access)]


def _counters(shape: Items, scenario: Scenario | None = None) -> list[tuple[int, int]]:
    """All reads of the counter (hart, number of the access); with a scenario those of its writers only."""
    harts = [h for h in range(len(shape)) if scenario is None or scenario.harts[h][0].writes]
    return [(h, i) for h in harts for i, access in enumerate(_accesses(shape[h])) if access.counter]


def _messages(shape: Items) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Each load of a flag, and the store that it has to return."""
    flags = [(a, (h, i)) for h, hart in enumerate(shape) for i, a in enumerate(_accesses(hart)) if a.start >> 8 == FLAGS >> 8]
    for load, name in flags:
        if load.reads:
            yield name, next(store for other, store in flags if other.writes and other.start == load.start)
