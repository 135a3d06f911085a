# SPDX-License-Identifier: MIT
"""What came of each fault: kept in a file as it comes, so that a run can go on later; and the table of all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from .mutant import Mutant

KILLED, SURVIVED, SAME, NOTHING = "killed", "survived", "the same code", "does not compile"


@dataclass(frozen=True)
class Result:
    """by: the test that found the fault. diff: the changed lines."""

    mutant: Mutant
    area: str
    ended: str
    by: str
    seconds: float
    diff: str


def write(path: Path, result: Result) -> None:
    """Add a result to the file."""
    with path.open("a") as file:
        file.write(json.dumps(asdict(result), sort_keys=True) + "\n")


def read(path: Path) -> list[Result]:
    """Return the results in the file; none if it is not there."""
    lines = path.read_text().splitlines() if path.is_file() else []
    facts = [json.loads(line) for line in lines]
    return [Result(**{**fact, "mutant": Mutant(**fact["mutant"])}) for fact in facts]


def folder(path: str) -> str:
    """Return what the table calls the place of a file: the folder of the library that it is in, or the file itself."""
    inside = path.removeprefix("site_scons/site_tools/vdso/")
    return inside.split("/")[0] + "/" if inside != path and "/" in inside else inside


def table(results: Iterable[Result]) -> str:
    """Return how many faults of each place were found, in Markdown; then each that was not."""
    counts: dict[str, Counter[str]] = {}
    left = []
    for result in sorted(results, key=lambda r: r.mutant):
        counts.setdefault(folder(result.mutant.path), Counter())[result.ended] += 1
        if result.ended in (SURVIVED, SAME):
            left.append(f"{result.mutant.place}  {result.mutant.kind}  ({result.ended})\n{result.diff}")
    lines = ["| place | faults | found | not found | the same code |", "|---|---|---|---|---|"]
    for place, count in {**counts, "all": sum(counts.values(), Counter())}.items():
        tried = count[KILLED] + count[SURVIVED] + count[SAME]
        lines.append(f"| {place} | {tried} | {count[KILLED]} | {count[SURVIVED]} | {count[SAME]} |")
    return "\n".join([*lines, "", *left])
