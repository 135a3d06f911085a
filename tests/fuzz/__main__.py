# SPDX-License-Identifier: MIT
"""`python -m fuzz`: the recorded run. Prints its table, each violation, and the branches that its first cases take."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from vdso.arch import DEFAULT

from . import covered, found, runner
from .architectures import FUZZED
from .way import Way


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--arch", choices=tuple(FUZZED), default=DEFAULT.name)
    parser.add_argument("--first", type=int, default=0, help="number of the first case; a case is a function of its number")
    parser.add_argument("--covered", type=int, default=0, metavar="RUNS", help="cases to measure coverage of: a third as fast")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        way = Way(Path(name), FUZZED[given.arch])
        old = runner.run(way, "fuzz.found:case", 0, len(found.of(way.arch)))
        tally = runner.run(way, runner.RANDOM, given.first, given.first + given.runs)
        print(tally.table())
        print(tally.summary())
        if given.covered:
            print("branches:", covered.shown(covered.covered(way, given.covered)[1]))
        way.close()
    return bool(tally.violations or old.violations)


if __name__ == "__main__":
    sys.exit(main())
