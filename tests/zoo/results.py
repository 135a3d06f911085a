# SPDX-License-Identifier: MIT
"""What came of each vDSO: kept in a file as it comes, so that a visit can go on later; and the table of all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from .build import PLAIN, Built, Recipe
from .judge import Verdict


@dataclass(frozen=True)
class Result:
    """One file of a build; of a build that made none, only `not_built` says something."""

    recipe: Recipe
    not_built: str = ""
    kind: str = PLAIN
    stripped: bool = True
    size: int = 0
    sha256: str = ""
    verdict: Verdict | None = None


def result(recipe: Recipe, built: Built, verdict: Verdict) -> Result:
    """Return the result of a file."""
    sha256 = hashlib.sha256(built.data).hexdigest()
    return Result(recipe, "", built.kind, built.stripped, len(built.data), sha256, verdict)


def write(path: Path, results: Iterable[Result]) -> None:
    """Add the results of one build to the file."""
    with path.open("a") as file:
        file.write(json.dumps([asdict(each) for each in results], sort_keys=True) + "\n")


def read(path: Path) -> list[Result]:
    """Return the results in the file; none if it is not there."""
    lines = path.read_text().splitlines() if path.is_file() else []
    return [_result(fact) for line in lines for fact in json.loads(line)]


def _result(fact: dict) -> Result:
    told = fact["verdict"]
    verdict = told and Verdict(**{name: tuple(value) if isinstance(value, list) else value for name, value in told.items()})
    return Result(**{**fact, "recipe": Recipe(**fact["recipe"]), "verdict": verdict})


def wrong(results: Iterable[Result]) -> list[str]:
    """Return all that should be otherwise, a line each."""
    return [
        f"{each.recipe.name}, {each.kind}{'' if each.stripped else ' with symbols'}: {what}"
        for each in results
        if each.verdict
        for what in (*each.verdict.wrong, *(f"check finds {rule}" for rule in each.verdict.untrue))
    ]


HEAD = (
    *("Linux", "configuration", "kind", "compilers", "vDSOs", "accepted", "refused", "rules hold", "programs", "`check` finds"),
    *("wrongly refused", "wrongly accepted", "false findings"),
)


def table(results: Iterable[Result]) -> str:
    """Return in Markdown, for each Linux, configuration and kind, what came of its vDSOs; then what was not built."""
    groups: dict[tuple[str, str, str], list[Result]] = {}
    not_built = []
    for each in results:
        key = (each.recipe.version, each.recipe.configuration, each.kind)
        if each.not_built:
            not_built.append(f"* {each.recipe.name}: {each.not_built}")
        else:
            groups.setdefault(key, []).append(each)
    rows = [HEAD, ("---",) * len(HEAD)]
    rows += [(*key, *_cells(group)) for key, group in groups.items()]
    every = [each for group in groups.values() for each in group]
    rows.append(("all", "", "", *_cells(every)))
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, "", *sorted(not_built)])


def _cells(group: list[Result]) -> tuple[str, ...]:
    different = {each.sha256: each for each in group}.values()
    verdicts = [each.verdict for each in different if each.verdict]
    taken = [verdict for verdict in verdicts if not verdict.refused]
    return (
        ", ".join(sorted({each.recipe.compiler for each in group}, key=_by_number)),
        str(len(different)),
        str(len(taken)),
        str(len(verdicts) - len(taken)),
        ", ".join(sorted({str(verdict.rules) for verdict in taken})),
        str(sum(verdict.programs for verdict in taken)),
        ", ".join(sorted({rule for verdict in taken for rule in verdict.findings})),
        str(sum(bool(verdict.wrong) for verdict in verdicts if verdict.refused)),
        str(sum(bool(verdict.wrong) for verdict in taken)),
        str(sum(len(verdict.untrue) for verdict in verdicts)),
    )


def _by_number(compiler: str) -> tuple[str, int]:
    family, _, version = compiler.partition("-")
    return family, int(version)
