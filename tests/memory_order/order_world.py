# SPDX-License-Identifier: MIT
"""Readers and writers of the data page on several harts: what user programs can see, in every execution of RVWMO.

The events come from the emitted code, and so does what an outcome means: the reader's code runs again on the values
that its loads returned, and answers or makes the system call.

Time goes in ticks, of a second each, and may tick before any read of the counter. What a writer stores follows from its
samples of the counter, so its code runs for each combination of those; and a reader has more than one path that ends in
an answer, so each is taken, and an outcome counts only if the values in it lead down that path.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from arch.riscv64.code_trace import BUFFER, STACK, Run, Step, Tracer
from arch.riscv64.litmus_of_code import Item, deciding, fence, is_fence, items, weakened
from arch.riscv64.rvwmo import Access, Fence, HartAccess, Outcome, Program, Source, Wanted, order, outcomes
from arch.riscv64.rvwmo_reduce import Reduced, reduce
from linked_code import COUNTER, DATA, compile_source, link
from memory_order.order_scenarios import ANSWER, FLAGS, Call, HartCall, Scenario, Verdict, Weak
from stub_build import compile_stub

HZ = 10**7
START, TICK = 10**12, HZ  # the counter before the first tick, and how far each goes
ROW, ROWS = 64, 12
EMPTY = bytes(4096)
Steps = tuple[Step, ...]
Items = tuple[tuple[Item, ...], ...]


@dataclass(frozen=True)
class Code:
    """What all harts execute in one run.

    steps       of each call of each hart, with what they stored in that run
    pages       before, between and after the calls that write
    paths       for each call that reads the number of its path
    """

    steps: tuple[tuple[Steps, ...], ...]
    pages: tuple[bytes, ...]
    paths: tuple[int, ...]

    @functools.cached_property
    def items(self) -> Items:
        return tuple(tuple(items(calls)) for calls in self.steps)

    @functools.cached_property
    def stored(self) -> dict[HartAccess, int]:
        """Return the value of each access."""
        values = [[step.value for call in calls for step in call if step.accesses] for calls in self.steps]
        return {(hart, i): value for hart, row in enumerate(values) for i, value in enumerate(row)}

    @functools.cached_property
    def reads(self) -> dict[HartCall, list[tuple[int, int, Step]]]:
        """Return for each call its loads: number of the access in its hart, in the call, and the step."""
        found: dict[HartCall, list[tuple[int, int, Step]]] = {}
        for hart, calls in enumerate(self.steps):
            of_hart = itertools.count()
            for number, call in enumerate(calls):
                numbered = [(next(of_hart), i, step) for i, step in enumerate(s for s in call if s.accesses)]
                found[hart, number] = [(h, i, step) for h, i, step in numbered if step.samples or step.loads]
        return found


@dataclass(frozen=True)
class Load:
    """One that a read made: its number among the accesses of its call, and what it returned."""

    number: int
    start: int
    size: int
    value: int


@dataclass(frozen=True)
class Read:
    """What a call made of what it loaded; path: the number of the path that it took."""

    path: int
    answer: tuple[int, int]
    loads: tuple[Load, ...]


@dataclass
class World:
    """All the code there is, linked once, and a machine to run it.

    flags       what the kernel's side is compiled with, too
    updates     the object code of all updates of the page, where that is not order_kernel.c
    mmio        the counter is a word of a page, and fences name a load of it by this letter; "": `rdtime` reads it
    """

    folder: Path
    flags: tuple[str, ...] = ()
    updates: Path | None = None
    mmio: str = ""
    _known: dict[object, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        defines = ["VDSO_COUNTER_MMIO"] if self.mmio else []
        stubs = [compile_stub(self.folder, name, *defines) for name in ("clock_gettime", "gettimeofday", "clock_getres")]
        source, elsewhere = Path(__file__).with_name("order_kernel.c"), ["-DUPDATES_ELSEWHERE"] if self.updates else []
        kernel = compile_source(
            source, self.folder / "order_kernel.o", *self.flags, *elsewhere, *(f"-D{name}" for name in defines)
        )
        linked = link(self.folder, [*stubs, kernel, *([self.updates] if self.updates else [])])
        self._functions = linked.functions
        self._tracer = Tracer(linked.image, DATA, *([COUNTER, self.mmio] if self.mmio else []))  # type: ignore[arg-type]

    def page(self, *calls: Call) -> bytes:
        """Return the page that these calls make of an empty page, without a tick."""
        page = EMPTY
        for call in calls:
            self._run(call, page)
            page = self._tracer.page
        return page

    def steps(self, call: Call, page: bytes) -> Steps:
        return self._run(call, page).steps

    def fences(self, call: Call, page: bytes) -> list[Fence]:
        return [fence(step) for step in self.steps(call, page) if is_fence(step)]

    def verdict(self, scenario: Scenario, *weak: Weak) -> Verdict:
        mix = back = answers = False
        for reads, pages in self.executions(scenario, *weak):
            answers = True
            mix = mix or any(self._mixed(scenario, name, read, pages) for name, read in reads.items())
            back = back or any(reads[second].answer < reads[first].answer for first, second in scenario.later)
        return Verdict(mix, back, answers)

    def executions(self, scenario: Scenario, *weak: Weak) -> Iterator[tuple[dict[HartCall, Read], tuple[bytes, ...]]]:
        """Yield for each outcome in which all reading calls answer their reads, and the states that the page goes through."""
        nominal = next(self._codes(scenario, weak, ())).items
        shapes: dict[Items, dict[tuple[Source, ...], list[Code]]] = {}
        for ticks in itertools.product(range(len(_counters(nominal))), repeat=len(_counters(nominal, scenario))):
            for code in self._codes(scenario, weak, ticks):
                shapes.setdefault(code.items, {}).setdefault(ticks, []).append(code)
        for shape, codes in shapes.items():
            reduced = reduce([order(hart) for hart in shape])
            wanted = self._wanted(scenario, reduced, [code for alike in codes.values() for code in alike])
            samples = _counters(shape, scenario)
            for outcome in self._outcomes(reduced.programs, wanted):
                alike = codes.get(tuple(reduced.returned(outcome, *sample) for sample in samples))
                if alike is None:
                    continue  # the writers execute something else if they take their samples then
                reads = self._reads(scenario, alike[0], functools.partial(reduced.returned, outcome))
                if tuple(read.path for read in reads.values()) in (code.paths for code in alike):
                    yield reads, alike[0].pages

    def _run(
        self, call: Call, page: bytes, hart: int = 0, ticks: Iterator[Source] | None = None, **kw: Mapping[int, int]
    ) -> Run:
        """Run the call on this page; it samples the counter at these ticks, or else at the start."""
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
        """Yield the code of all harts if the writers take their samples at these ticks, for each choice of readers' paths."""
        runs, pages = self._written(scenario, ticks)
        harts = [
            [[runs[h, c]] if (h, c) in runs else self._paths(call, h, pages) for c, call in enumerate(calls)]
            for h, calls in enumerate(scenario.harts)
        ]
        calls = [call for row in scenario.harts for call in row]
        for choice in itertools.product(*(range(len(paths)) for row in harts for paths in row)):
            chosen = iter(choice)
            steps = tuple(
                tuple(_weakened(call, paths[next(chosen)], weak) for call, paths in zip(*row, strict=True))
                for row in zip(scenario.harts, harts, strict=True)
            )
            yield Code(steps, pages, tuple(path for call, path in zip(calls, choice, strict=True) if call.reads))

    def _written(self, scenario: Scenario, ticks: tuple[Source, ...]) -> tuple[dict[HartCall, Run], tuple[bytes, ...]]:
        """Run all calls that don't read, one hart after the other, each on the page that the one before has left."""
        key = (scenario.start, scenario.harts, ticks)
        if key not in self._known:
            samples = itertools.chain(ticks, itertools.repeat(0))
            runs, pages = {}, [scenario.start]
            for hart, calls in enumerate(scenario.harts):
                for number, call in enumerate(calls):
                    if not call.reads:
                        runs[hart, number] = self._run(call, pages[-1], hart, samples)
                        if call.lives is None:
                            pages.append(self._tracer.page)
            self._known[key] = (runs, tuple(pages))
        return self._known[key]  # type: ignore[return-value]

    def _paths(self, call: Call, hart: int, pages: tuple[bytes, ...]) -> list[Run]:
        """Return runs that answer, one for each path: the counter may be ahead of the row's base, or behind."""
        key = (call, hart, pages)
        if key not in self._known:
            paths: dict[tuple[Item, ...], Run] = {}
            for page, tick in itertools.product(pages, (len(pages), -1)):
                run = self._run(call, page, hart, iter([tick]))
                if not run.asked:
                    paths.setdefault(tuple(items([run.steps])), run)
            self._known[key] = list(paths.values())
        return self._known[key]  # type: ignore[return-value]

    def _wanted(self, scenario: Scenario, reduced: Reduced, codes: Sequence[Code]) -> tuple[Wanted, ...]:
        """Return the wanted reads: messages must arrive, and reading calls must load states with which they answer."""
        stores: dict[int, list[HartAccess]] = {}
        accesses = [((h, k), a) for h, program in enumerate(reduced.programs) for k, a in enumerate(program.accesses)]
        for name, access in accesses:
            if access.writes:
                stores.setdefault(access.start, []).append(name)
        flags = [(name, access) for name, access in accesses if access.reads and access.start >> 8 == FLAGS >> 8]
        wanted = [((name,), frozenset((store,) for store in stores.get(access.start, [None]))) for name, access in flags]
        for (hart, number), loads in codes[0].reads.items():
            call = scenario.harts[hart][number]
            states = [(reduced.place(hart, n), i, step) for n, i, step in loads if call.reads and _is_state(step.address)]
            watched = tuple(place for place, _, _ in states if place is not None)
            if not watched:
                continue
            answering = set()
            for choice in itertools.product(*([None, *stores[step.address]] for place, _, step in states if place)):
                sources, values = iter(choice), {}
                for place, i, step in states:
                    source = next(sources) if place else None
                    old = _word(scenario.start, step.address, step.size)
                    (values[i],) = {old if source is None else code.stored[reduced.old(source)] for code in codes}
                if self._answers(call, hart, tuple(values.items())):
                    answering.add(choice)
            wanted.append((watched, frozenset(answering)))
        return tuple(wanted)

    def _answers(self, call: Call, hart: int, states: tuple[tuple[int, int], ...]) -> bool:
        """Tell whether the call answers by itself when it loads these states. Nothing else may decide that."""
        if (call, hart, states) not in self._known:
            run = self._run(call, EMPTY, hart, loads=dict(states))
            if run.asked and deciding(run.steps) & ~sum(1 << i for i, _ in states):
                raise ValueError(f"{call.function} asks the kernel for another reason than the state of the row")
            self._known[call, hart, states] = not run.asked
        return bool(self._known[call, hart, states])

    def _outcomes(self, programs: tuple[Program, ...], wanted: tuple[Wanted, ...]) -> set[Outcome]:
        key = (programs, wanted)
        if key not in self._known:
            self._known[key] = outcomes(programs, wanted)
        return self._known[key]  # type: ignore[return-value]

    def _reads(self, scenario: Scenario, code: Code, returned: Callable[[int, int], Source]) -> dict[HartCall, Read]:
        reads = {}
        for hart, calls in enumerate(scenario.harts):
            for number, call in enumerate(calls):
                if not call.reads:
                    continue
                loads, tick = [], 0
                for access, i, step in code.reads[hart, number]:
                    source = returned(hart, access)
                    if step.samples:
                        tick = source  # type: ignore[assignment]
                    elif DATA <= step.address < DATA + len(EMPTY):
                        old = _word(scenario.start, step.address, step.size)
                        value = code.stored[source] if isinstance(source, tuple) else old
                        loads.append(Load(i, step.address, step.size, value))
                reads[hart, number] = self._read(call, hart, code.pages, tuple(loads), tick)
        return reads

    def _mixed(self, scenario: Scenario, name: HartCall, read: Read, pages: tuple[bytes, ...]) -> bool:
        """Tell whether the loaded row, but for its state, is in none of the pages in which the call answers."""
        fields = [load for load in read.loads if not _is_state(load.start)]
        states = [load for load in read.loads if _is_state(load.start)]
        for page in pages:
            now = tuple((load.number, _word(page, load.start, load.size)) for load in states)
            if self._answers(scenario.harts[name[0]][name[1]], name[0], now) and all(
                _word(page, load.start, load.size) == load.value for load in fields
            ):
                return False
        return True

    def _read(self, call: Call, hart: int, pages: tuple[bytes, ...], loads: tuple[Load, ...], tick: int) -> Read:
        key = (call, hart, loads, tick)
        if key not in self._known:
            run = self._run(call, EMPTY, hart, iter([tick]), loads={load.number: load.value for load in loads})
            assert not run.asked
            paths = [items([path.steps]) for path in self._paths(call, hart, pages)]
            self._known[key] = Read(paths.index(items([run.steps])), run.answer, loads)
        return self._known[key]  # type: ignore[return-value]


def _is_state(address: int) -> bool:
    return DATA <= address < DATA + ROWS * ROW and (address - DATA) % ROW == 0


def _word(page: bytes, start: int, size: int) -> int:
    return int.from_bytes(page[start - DATA : start - DATA + size], "little")


def _weakened(call: Call, run: Run, weak: tuple[Weak, ...]) -> Steps:
    steps = run.steps[: call.lives]
    for change in sorted(weak, key=lambda w: -w.ordinal):
        if (change.side == "writes" and call.writes) or (change.side == "reads" and call.reads):
            steps = weakened(steps, change.ordinal, change.instead)
    return steps


def _counters(shape: Items, scenario: Scenario | None = None) -> list[HartAccess]:
    """Return all reads of the counter; with a scenario only those of its writers."""
    harts = [h for h in range(len(shape)) if scenario is None or any(call.writes for call in scenario.harts[h])]
    accesses = [(h, [item for item in shape[h] if isinstance(item, Access)]) for h in harts]
    return [(h, i) for h, row in accesses for i, access in enumerate(row) if access.counter]
