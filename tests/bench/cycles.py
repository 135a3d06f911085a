# SPDX-License-Identifier: MIT
"""Cycles of clock_gettime(MONOTONIC) on models of cores, ours beside Linux's, in one run.

Two programs know cores: rvsim, a simulator, and llvm-mca, the scheduling models of LLVM. What each can't model stands in
the module that asks it. Where one is not installed, the table says so and has the other's rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from arch.riscv64 import scheduled, simulated
from exact_clock import MONOTONIC
from one_cpu import BUFFER

from .subject import Start, Subject

EXPORT = "clock_gettime"
TITLE = "cycles of clock_gettime(MONOTONIC), of calls that follow each other / of one call alone"
LEGEND = """\
rvsim: beyond a function that only returns; alone: the next call waits for the answer. It is a cycle-level simulator: no core
of it is a chip. llvm-mca: from dispatch to retirement, without fences and reads of the counter, which no model of LLVM knows,
nor caches and branches; alone: one call in an idle core. Neither knows what `rdtime` costs where firmware answers it."""
TICKS = 10_000  # the counter at a call that llvm-mca judges


def rows(subjects: Sequence[Subject], work: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Return a row for each core, and what was not measured. A row has the cycles of each subject: (following, alone)."""
    known = [subject for subject in subjects if subject.start is not None]
    missing = []
    try:
        found = list(_simulated(known, work, f"rvsim {version('rvsim')}"))
    except PackageNotFoundError:
        found = []
        missing.append("no cycles of rvsim: it is not installed; ./sconsw bench does that")
    tool = scheduled.newest()
    if tool is None:
        missing.append("no cycles of llvm-mca: not found; install llvm (Debian: apt-get install llvm)")
    else:
        have = scheduled.models(tool)
        lacks = [name for name, core in scheduled.CORES.items() if core not in have]
        found += _scheduled(known, tool, have)
        if lacks:
            missing.append(f"{tool} has no model of {', '.join(lacks)}; a newer LLVM has")
    return found, missing


def _simulated(subjects: Sequence[Subject], work: Path, model: str) -> Iterator[dict[str, Any]]:
    programs = {}
    for number, subject in enumerate(subjects):
        called = (simulated.machine(work / str(number), *_mapped(subject), at, MONOTONIC) for at in (_address(subject), None))
        programs[subject.name] = tuple(called)
    for name, core in simulated.cores().items():
        timed = {subject.name: simulated.measure(core, *programs[subject.name]) for subject in subjects}
        for subject in subjects:
            _refuse_wrong(subject, timed[subject.name].answer)
        yield {"model": model, "core": name, "cycles": {k: (t.after_another, t.alone) for k, t in timed.items()}}


def _scheduled(subjects: Sequence[Subject], tool: str, have: frozenset[str]) -> Iterator[dict[str, Any]]:
    blocks = {subject.name: _block(subject) for subject in subjects}
    for name, core in scheduled.CORES.items():
        if core in have:
            cycles = {
                subject: (
                    scheduled.cycles(tool, core, block, scheduled.TIMES) / scheduled.TIMES,
                    scheduled.cycles(tool, core, block, 1),
                )
                for subject, block in blocks.items()
            }
            yield {"model": tool, "core": name, "cycles": cycles}


def _block(subject: Subject) -> str:
    """Return the instructions that a call executes."""
    image, data_offset, page = _mapped(subject)
    machine = scheduled.TracingMachine(image, data_offset)
    if data_offset is not None:
        machine.set_page(page)
    result = machine.call(_address(subject), MONOTONIC, BUFFER, counter=TICKS)
    assert not result.syscalls
    _refuse_wrong(subject, result.words())
    return scheduled.assembly(machine.executed)


def _start(subject: Subject) -> Start:
    assert subject.start is not None
    return subject.start


def _mapped(subject: Subject) -> tuple[bytes, int | None, bytes]:
    start = _start(subject)
    return start.image, start.data_offset, start.page


def _address(subject: Subject) -> int:
    address = subject.functions[EXPORT].address
    assert address is not None
    return address


def _refuse_wrong(subject: Subject, answer: Sequence[int]) -> None:
    """Raise where a call did not give the time: less than a second has gone, and more than none."""
    second, nanoseconds = answer
    assert second == _start(subject).monotonic, (subject.name, answer)
    assert nanoseconds > 0, (subject.name, answer)


def ratios(row: dict[str, Any], ours: str, theirs: str) -> tuple[float, float]:
    """Return our cycles in those of another, of calls that follow each other and of one alone."""
    mine, other = row["cycles"][ours], row["cycles"][theirs]
    return mine[0] / other[0], mine[1] / other[1]


def text(found: Sequence[dict[str, Any]], missing: Sequence[str]) -> str:
    """Return the rows as text for a person. The last column compares the first subject with the first of Linux."""
    lines = [TITLE, ""]
    if found:
        names = list(found[0]["cycles"])
        linux = next((name for name in names if name.startswith("Linux")), None)
        table = [["", *names, *([f"{names[0]} : {linux}"] if linux else [])]]
        for row in found:
            cells = [f"{following:.1f} / {alone:.0f}" for following, alone in row["cycles"].values()]
            if linux:
                cells.append(" / ".join(f"{ratio:.2f}" for ratio in ratios(row, names[0], linux)))
            table.append([f"{row['model']}  {row['core']}", *cells])
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines += ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in table]
        lines += ["", LEGEND]
    return "\n".join([*lines, *missing]) + "\n"
