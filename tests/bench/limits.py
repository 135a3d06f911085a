# SPDX-License-Identifier: MIT
"""The limits of a bench: what was found beside each, a mark where it is missed, and a verdict in words.

Counts of instructions and what is imported are the same on every machine: one that is missed is the exit status. Times are
those of this machine in this minute, and cycles those of models: they are marked, told in the verdict, and no status, since a
busy machine alone can miss them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from native import Native

from .build_times import LINEAR_LIMIT, Clean, Idle, Variants
from .calls import CLOCKS
from .cycles import ratios
from .measured import Most

OTHER_COMPILER = 2  # instructions more that another compiler may take
CYCLES_LIMIT = 0.85  # of Linux's cycles
NATIVE_LIMIT = 0.9  # of the time that Linux's own vDSO takes on this machine


@dataclass(frozen=True)
class Limit:
    """`found` may be `limit` at most. `exact`: it is the same on every machine."""

    what: str
    found: float
    limit: float
    exact: bool

    @property
    def missed(self) -> bool:
        return self.found > self.limit

    def __str__(self) -> str:
        digits = 0 if self.exact else 2
        mark = "" if not self.missed else "  MISSED" if self.exact else "  MISSED, as it was measured here"
        return f"  {self.what:52}{self.found:6.{digits}f}  at most {self.limit:g}{mark}"


def of_instructions(columns: Mapping[str, Mapping[str, Any]], most: Most, more: int) -> list[Limit]:
    """Return the limits of the columns of blobs, by the title of each blob's mode; without a page it begins with `none`.

    more    instructions beyond `most` that the compiler may take
    """
    paged = [column for title, column in columns.items() if not title.startswith("none")]
    without = [column for title, column in columns.items() if title.startswith("none")]
    return [
        Limit("instructions of clock_gettime", _most(paged, "clock_gettime", tuple(CLOCKS)), most.clock + more, True),
        Limit("instructions of gettimeofday", _most(paged, "gettimeofday", ("",)), most.day + more, True),
        Limit(
            "instructions of clock_gettime(MONOTONIC), no page",
            _most(without, "clock_gettime", ("MONOTONIC",)),
            most.without + more,
            True,
        ),
    ]


def _most(columns: Sequence[Mapping[str, Any]], export: str, cases: tuple[str, ...]) -> int:
    return max(
        call["instructions"]
        for column in columns
        for call in column["calls"]
        if call["export"] == export and call["case"] in cases
    )


def of_cycles(cores: Sequence[Mapping[str, Any]]) -> list[Limit]:
    """Return the limit on each core of clock_gettime's cycles, in those of the first Linux; the worse of both ways to count."""
    found = []
    for row in cores:
        ours, *others = row["cycles"]
        linux = next((name for name in others if name.startswith("Linux")), None)
        if linux:
            worse = max(ratios(dict(row), ours, linux))
            found.append(Limit(f"cycles on {row['core']}, in those of {linux}", worse, CYCLES_LIMIT, False))
    return found


def of_this_machine(found: Native | None) -> list[Limit]:
    """Return the limit of a call on this machine; nothing where none was measured."""
    if found is None:
        return []
    return [Limit("clock_gettime here, in times of Linux's own vDSO", found.of_linux, NATIVE_LIMIT, False)]


def of_times(report: Mapping[str, Any]) -> list[Limit]:
    """Return the limits of build times."""
    idle, clean = Idle(**report["nothing to do"]), Clean(**report["from clean"])
    found = [
        Limit("imports of lief by a build with nothing to do", idle.imports.count("lief"), 0, True),
        Limit("nothing to do, in times of an empty SConstruct", idle.ratio, idle.limit, False),
        Limit("from clean, in times of its parts", clean.ratio, clean.limit, False),
    ]
    if "a further variant" in report:
        more = Variants(**report["a further variant"])
        found.append(Limit("a further variant, seconds of CPU", more.each, more.limit, False))
        found.append(Limit("later variants, in times of the first ones", more.later / more.each, LINEAR_LIMIT, False))
    return found


def text(limits: Sequence[Limit]) -> str:
    """Return the limits as text for a person, the verdict last."""
    missed = [limit for limit in limits if limit.missed]
    exact = [limit.what for limit in missed if limit.exact]
    here = [limit.what for limit in missed if not limit.exact]
    count = sum(limit.exact for limit in limits)
    first = f"missed, and the status is 1: {'; '.join(exact)}" if exact else f"the {count} exact limits hold"
    second = f"missed, as it was measured here: {'; '.join(here)}" if here else "all others hold"
    return "\n".join(["limits", *map(str, limits), "", f"bench: {first}; {second}"]) + "\n"


def status(limits: Sequence[Limit]) -> int:
    """Return 1 where an exact limit is missed, else 0."""
    return int(any(limit.exact and limit.missed for limit in limits))
