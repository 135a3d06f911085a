# SPDX-License-Identifier: MIT
"""`python -m mutation`: puts faults into a copy of this checkout, one at a time, and counts those that tests find."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from .measure import measure
from .results import SURVIVED, read, table
from .sample import LIBRARY, RUST, C


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m mutation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the choice of faults")
    for area, count in ((LIBRARY, 210), (C, 60), (RUST, 30)):
        parser.add_argument(f"--{area.lower()}", type=int, default=count, metavar="FAULTS", help=f"how many of {area}")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="of the files that faults are put into")
    parser.add_argument("--out", type=Path, help="a folder for what is found; a run goes on with what is there")
    given = parser.parse_args()
    counts = {LIBRARY: given.library, C: given.c, RUST: given.rust}
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        out = given.out or Path(name)
        measure(Path(name), out, given.seed, counts, given.only)
        found = read(out / "results")
    print(table(found))
    return int(any(result.ended == SURVIVED for result in found))


if __name__ == "__main__":
    sys.exit(main())
