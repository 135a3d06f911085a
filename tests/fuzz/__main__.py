# SPDX-License-Identifier: MIT
"""`python -m fuzz`: the recorded run. Prints its table, each violation, and with --coverage what was covered."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import conftest

from . import found, runner

TOOL = conftest.ROOT / "site_scons" / "site_tools" / "vdso"
PARTS = {
    "image": ("image.py", "unwind.py", "elf.py", "mark.py"),
    "extract": ("find.py", "headers.py", "containers.py", "compression.py", "core.py"),
    "splice": ("splice.py", "place.py", "plan.py", "policy.py", "tables.py", "symbols.py", "sections.py", "room.py", "stubs.py",
               "lief_write.py", "analysis.py", "riscv.py"),
    "verify": tuple(f"verify/{path.name}" for path in sorted((TOOL / "verify").glob("*.py"))),
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case; a case is a function of its number")
    parser.add_argument("--coverage", action="store_true", help="also print the branch coverage (a third of the speed)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        python = [sys.executable]
        if given.coverage:
            python += [
                "-m",
                "coverage",
                "run",
                "--branch",
                "--parallel-mode",
                f"--data-file={folder / 'c'}",
                f"--source={TOOL}",
            ]
        old = runner.run(folder, "fuzz.found:case", 0, len(found.FOUND), python=python)
        tally = runner.run(folder, runner.RANDOM, given.first, given.first + given.runs, python=python)
        print(tally.table())
        print(tally.summary())
        for number, what in [*old.violations.items(), *tally.violations.items()]:
            print(f"{number}: {what}")
        if given.coverage:
            _coverage(folder)
    return bool(tally.violations or old.violations)


def _coverage(folder: Path) -> None:
    command = [sys.executable, "-m", "coverage"]
    data = f"--data-file={folder / 'c'}"
    subprocess.run([*command, "combine", "-q", data, str(folder)], check=True)
    for part, files in PARTS.items():
        include = ",".join(str(TOOL / file) for file in files)
        shown = subprocess.run([*command, "report", data, f"--include={include}"], check=True, capture_output=True, text=True)
        print(f"{part}\n{shown.stdout}")


if __name__ == "__main__":
    sys.exit(main())
