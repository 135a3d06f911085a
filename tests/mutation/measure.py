# SPDX-License-Identifier: MIT
"""The measurement: a seeded sample of faults, each judged by the tests of its place until one fails.

Also as tests, which nobody collects who does not name this file: `TEST="-n0 -rP tests/mutation/measure.py"`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from .judges import judges
from .mutant import Mutant
from .results import KILLED, NOTHING, SAME, SURVIVED, Result, read, table, write
from .same_code import made_of
from .sample import LIBRARY, RUST, C, draw
from .trial import Trial

COUNTS = {LIBRARY: 210, C: 60, RUST: 30}
TOO_LONG = 90
"""Seconds of a processor; a file of tests that takes more judges only what is of its own name."""


class Judge:
    """Runs the tests of a fault, the fastest first. `times`: a file of what each file of tests takes without a fault."""

    def __init__(self, trial: Trial, times: Path) -> None:
        self._trial, self._times = trial, times
        self._known: dict[str, float] = json.loads(times.read_text()) if times.is_file() else {}

    def verdict(self, mutant: Mutant) -> tuple[str, float]:
        """Return the test that finds the fault, "" if none does, and the seconds that this took."""
        spent = 0.0
        for number, group in enumerate(judges(self._trial.root / "tests", mutant.path)):
            taken = {test: self._time(test) for test in group}
            tests = sorted((t for t in group if taken[t] < TOO_LONG or number == 0), key=lambda t: taken[t])
            if not tests:
                continue
            with self._trial.fault(mutant):
                outcome = self._trial.run(tests, 20 + 5 * sum(taken[test] for test in tests))
            spent += outcome.seconds
            if outcome.by:
                return outcome.by, spent
        return "", spent

    def _time(self, test: str) -> float:
        """Return the seconds that a file of tests takes. RuntimeError where it fails without any fault."""
        if test not in self._known:
            outcome = self._trial.run([test])
            if outcome.by:
                raise RuntimeError(f"{outcome.by} fails in a copy of the checkout as it is:\n{outcome.printed}")
            self._known[test] = outcome.seconds
            self._times.write_text(json.dumps(self._known, indent=1, sort_keys=True))
        return self._known[test]


def measure(work: Path, out: Path, seed: int, counts: Mapping[str, int], only: str = "*") -> None:
    """Try `counts` faults of each area, and write what came of each into out/results, after what is there already."""
    out.mkdir(parents=True, exist_ok=True)
    trial = Trial(work / "checkout", out)
    judge = Judge(trial, out / "times.json")
    known = {result.mutant: result for result in read(out / "results")}
    sound: dict[bool, str] = {}
    for area, count in counts.items():
        tried = 0
        for mutant in draw(trial.root, area, seed, only):
            if tried == count:
                break
            if mutant not in known:
                known[mutant] = _tried(trial, judge, mutant, area, sound)
                write(out / "results", known[mutant])
            tried += known[mutant].ended != NOTHING


def _tried(trial: Trial, judge: Judge, mutant: Mutant, area: str, sound: dict[bool, str]) -> Result:
    """Return what comes of one fault. sound: what compilers make without one, of C (False) and of Rust (True)."""
    diff = mutant.diff((trial.root / mutant.path).read_text())
    if area != LIBRARY:
        of_rust = area == RUST
        if of_rust not in sound:
            sound[of_rust] = made_of(trial.root, mutant.path)
            assert sound[of_rust], "nothing compiles"
        with trial.fault(mutant):
            made = made_of(trial.root, mutant.path)
        if made in ("", sound[of_rust]):
            return _shown(Result(mutant, area, SAME if made else NOTHING, "", 0.0, diff))
    by, seconds = judge.verdict(mutant)
    return _shown(Result(mutant, area, KILLED if by else SURVIVED, by, seconds, diff))


def _shown(result: Result) -> Result:
    told = f"{result.ended:9} {result.mutant.place}  {result.mutant.kind}  {result.seconds:.0f} s  {result.by}"
    print(told if result.ended == KILLED else f"{told}\n{result.diff}", flush=True)
    return result


def test_nineteen_of_twenty_faults_are_found(tmp_path: Path) -> None:
    """All faults that change what compilers make count, those too that change nothing for anybody."""
    measure(tmp_path / "work", tmp_path / "out", 1, COUNTS)
    results = read(tmp_path / "out" / "results")
    print(table(results))
    found = sum(result.ended == KILLED for result in results)
    assert found >= 0.95 * sum(result.ended in (KILLED, SURVIVED) for result in results)
