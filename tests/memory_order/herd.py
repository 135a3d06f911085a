# SPDX-License-Identifier: MIT
"""herd7, which goes through the executions of small programs by models of an architecture's own makers, beside our enumeration.

It knows no counter. So a word of memory, which a further program counts up, stands for that on both sides: what only holds a
load holds it too, and what is needed for a counter alone is not asked here. herd7 is no package of Debian 12; that of unstable
runs with the C library that it was made for.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from arch.riscv64.rvwmo import Access, Fence, Outcome, order, outcomes
from debian_packages import MACHINE, Packages

HERD = Packages(MACHINE, ("herdtools7", "libc6", "libgmp10"), ("unstable",))
SECONDS = 300
COUNTER = 512
"""The offset of the word that stands for the counter."""
TICK = Access(reads=False, writes=True, start=COUNTER, size=8)

Items = Sequence[Access | Fence]
Values = tuple[int, ...]
"""What the loads of all programs return: 0 is what was there at first, N what the Nth store to that word writes."""


class Dialect(Protocol):
    """How herd7 writes the instructions of an architecture. Loads and words of memory are numbered from 0."""

    name: str

    def initial(self, program: int, word: int, /) -> str:
        """Return what makes a word known to a program before it begins."""

    def register(self, load: int, /) -> str: ...

    def load(self, load: int, word: int, depends: int | None, /) -> list[str]:
        """Return a load; `depends`: on which earlier one its address depends."""

    def store(self, word: int, value: int, /) -> list[str]: ...

    def fence(self, fence: Fence, /) -> list[str]: ...


def _with_word(items: Items) -> list[Access | Fence]:
    """Return a program in which the counter is a word of memory."""
    return [
        Access(reads=True, writes=False, start=COUNTER, size=8, address=item.address)
        if isinstance(item, Access) and item.counter
        else item
        for item in items
    ]


def _values(programs: Sequence[Items]) -> dict[tuple[int, int], int]:
    """Return what each store writes, by its program and its number among the accesses of that."""
    found: dict[tuple[int, int], int] = {}
    count: dict[int, int] = {}
    for number, items in enumerate(programs):
        for at, access in enumerate(item for item in items if isinstance(item, Access)):
            if access.writes:
                found[number, at] = count[access.start] = count.get(access.start, 0) + 1
    return found


def enumerated(programs: Sequence[Items]) -> set[Values]:
    """Return what the loads can return by our own enumeration."""
    values = _values(programs)
    loads = [[item.reads for item in items if isinstance(item, Access)] for items in programs]

    def of(outcome: Outcome) -> Values:
        return tuple(
            values[source] if isinstance(source, tuple) else 0
            for reads, is_load in zip(outcome.reads, loads, strict=True)
            for source, load in zip(reads, is_load, strict=True)
            if load
        )

    return {of(outcome) for outcome in outcomes([order(items) for items in programs])}


def by_herd(programs: Sequence[Items], dialect: Dialect, folder: Path) -> set[Values]:
    """Return what the loads can return by herd7."""
    litmus = folder / "programs.litmus"
    text, registers = _litmus(programs, dialect)
    litmus.write_text(text)
    done = subprocess.run([*_command(), litmus], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    (count,) = re.findall(r"^States (\d+)$", done.stdout, re.M)
    lines = [dict(re.findall(r"(\d+:\w+)=(\d+);", line)) for line in done.stdout.splitlines() if re.match(r"\d+:\w+=\d", line)]
    assert len(lines) == int(count), done.stdout
    return {tuple(int(line[register]) for register in registers) for line in lines}


def agreed(read: Items, write: Items, dialect: Dialect, folder: Path, ordered: Callable[[Items], Items] = list) -> set[Values]:
    """Return what the loads of a reader, of a writer and of the counter can return, of which both ways must say the same.

    ordered     what the enumeration must be told of the order that the architecture keeps by itself
    """
    programs = [_with_word(read), _with_word(write), [TICK]]
    found = by_herd(programs, dialect, folder)
    assert found == enumerated([ordered(items) for items in programs])
    return found


def mixes(found: set[Values]) -> set[Values]:
    """Return those in which a reader believes a row that is neither old nor new.

    The reader loads the state, the counter, the four words of a row in any order, and the state; an update writes each word of
    the row once, and the state twice.
    """
    old, new = 0, 2
    rows = {old: {0}, new: {1}}
    return {loads for loads in found if loads[0] == loads[6] in rows and {*loads[2:6]} != rows[loads[0]]}


def _command() -> list[str]:
    root, libc = HERD.unpacked("herdtools7") / "usr", HERD.unpacked("libc6")
    (loader,) = libc.glob("usr/lib/*/ld-linux-*.so.*")
    libraries = [
        str(folder) for package in (libc, HERD.unpacked("libgmp10")) for folder in package.glob("usr/lib/*-linux-gnu*")
    ]
    models = root / "share" / "herdtools7" / "herd"
    return [str(loader), "--library-path", ":".join(libraries), str(root / "bin" / "herd7"), "-I", str(models)]


def _litmus(programs: Sequence[Items], dialect: Dialect) -> tuple[str, list[str]]:
    """Return the programs as herd7 reads them, and the registers that the loads are to."""
    values = _values(programs)
    words = sorted({item.start for items in programs for item in items if isinstance(item, Access)})
    columns, registers, known = [], [], []
    for number, items in enumerate(programs):
        column: list[str] = []
        known += [dialect.initial(number, word) for word in range(len(words))]
        at, loads = 0, dict[int, int]()  # from the number of an access to that of a load
        for item in items:
            if isinstance(item, Fence):
                column += dialect.fence(item)
                continue
            if item.reads:
                (depends,) = [loads[bit] for bit in loads if item.address >> bit & 1] or [None]
                loads[at] = len(loads)
                column += dialect.load(loads[at], words.index(item.start), depends)
                registers.append(f"{number}:{dialect.register(loads[at])}")
            else:
                column += dialect.store(words.index(item.start), values[number, at])
            at += 1
        columns.append(column)
    rows = [[f"P{number}" for number in range(len(columns))]]
    rows += [[column[row] if row < len(column) else "" for column in columns] for row in range(max(map(len, columns)))]
    code = "\n".join(f" {' | '.join(row)} ;" for row in rows)
    seen = " ".join(f"{register};" for register in registers)
    return (
        f"{dialect.name} programs\n{{ {' '.join(known)} }}\n{code}\nlocations [{seen}]\nexists ({registers[0]}=-1)\n",
        registers,
    )
