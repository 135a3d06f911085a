# SPDX-License-Identifier: MIT
"""`python -m zoo`: builds vDSOs of Linux, takes each the whole way, and prints the table of what came of them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .results import read, table, wrong
from .visit import visit


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m zoo", description=__doc__)
    parser.add_argument("out", type=Path, help="a folder for what is made; a visit goes on with what is there")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="of names such as `6.12.118-1 gcc-14 default`")
    given = parser.parse_args()
    visit(given.out, given.only)
    found = read(given.out / "results")
    print(table(found))
    print(*wrong(found), sep="\n")
    return int(bool(wrong(found)))


if __name__ == "__main__":
    sys.exit(main())
