# SPDX-License-Identifier: MIT
"""Runs workers, one after another, and counts where their cases ended; a worker's death or silence is counted too."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from repository import IMPORTS

from .way import ENDINGS, PASSED_HEADER, TAKEN, Way

RANDOM = "fuzz.worker:random_case"
SILENCE = 120  # seconds
START = 600  # the same before the first case, on a machine that is busy


@dataclass
class Tally:
    """What came of a run. `ends`: number of a case to its ending; `violations`: number to what happened."""

    ends: dict[int, str] = field(default_factory=dict)
    violations: dict[int, str] = field(default_factory=dict)
    seconds: float = 0.0
    longest: float = 0.0
    peak: int = 0

    def violation(self, number: int, what: str) -> None:
        """Record a violation, and print it at once: a run takes half an hour."""
        self.violations[number] = what
        print(f"{number}: {what}", file=sys.stderr, flush=True)

    @property
    def runs(self) -> int:
        return len(self.ends) + len(self.violations)

    def share(self, endings: Sequence[str]) -> float:
        return sum(end in endings for end in self.ends.values()) / max(self.runs, 1)

    def table(self) -> str:
        """Return the table of docs/reliability.md."""
        counts = Counter(self.ends.values())
        rows = [f"| {end} | {counts[end]:,} | {counts[end] / self.runs:.1%} |" for end in ENDINGS]
        rows += [f"| a violation | {len(self.violations):,} | {len(self.violations) / self.runs:.1%} |"]
        rows += [f"| all | {self.runs:,} | |"]
        return "\n".join(("| where it ended | runs | share |", "|---|---|---|", *rows)) + "\n"

    def summary(self) -> str:
        return (
            f"{self.share(PASSED_HEADER):.1%} passed the header checks, {self.share(TAKEN):.1%} ended accepted; "
            f"{self.seconds:.0f} s, the longest {self.longest:.1f} s, at most {self.peak >> 20} MiB"
        )


def run(way: Way, cases: str, first: int, last: int, python: Sequence[str] = (sys.executable,)) -> Tally:
    """Run the cases `first` to `last` - 1 with what `way` has compiled. `python`: the interpreter, perhaps under `coverage`."""
    tally, started = Tally(), time.monotonic()
    while first < last:
        first = _worker(
            tally, [*python, "-m", "fuzz.worker", str(way.folder), way.arch.name, cases, str(first), str(last)], first
        )
    tally.seconds = time.monotonic() - started
    return tally


def _worker(tally: Tally, command: Sequence[str], number: int) -> int:
    """Read from one worker until it ends, and return the number of the next case."""
    paths = [*IMPORTS, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    assert worker.stdout
    patience = START
    try:
        while True:
            line = worker.stdout.readline() if select.select([worker.stdout], [], [], patience)[0] else None
            if line is None:
                tally.violation(number, f"silent for {patience} seconds")
                return number + 1
            if not line:
                if worker.wait():
                    tally.violation(number, f"the process ended with status {worker.returncode}")
                return number + 1
            told = json.loads(line)
            patience = SILENCE
            if "peak" in told:
                tally.peak = max(tally.peak, told["peak"])
                worker.wait()
                return sys.maxsize
            number = told["number"]
            tally.longest = max(tally.longest, told["seconds"])
            if "end" in told:
                tally.ends[number] = told["end"]
            else:
                tally.violation(number, told["violation"])
            number += 1
    finally:
        worker.kill()
        worker.wait()
        worker.stdout.close()
