# SPDX-License-Identifier: MIT
"""Which branches of the product the cases take, part by part."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

from . import runner

TOOL = ROOT / "site_scons" / "site_tools" / "vdso"
PARTS = {
    "image": ("image.py", "image_reader.py", "base_check.py", "unwind.py", "elf.py", "mark.py"),
    "extract": ("find.py", "headers.py", "containers.py", "compression.py", "core.py"),
    "splice": (
        *("splice.py", "place.py", "plan.py", "policy.py", "tables.py", "symbols.py", "sections.py", "room.py", "stubs.py"),
        *("lief_write.py", "analysis.py", "riscv.py"),
    ),
    "verify": tuple(f"verify/{path.name}" for path in sorted((TOOL / "verify").glob("*.py"))),
}


def covered(folder: Path, runs: int) -> tuple[runner.Tally, dict[str, tuple[int, int]]]:
    """What came of the first `runs` cases, and for each part the branches that they took, and all that there are."""
    data = folder / "coverage"
    options = ["--branch", "--parallel-mode", f"--data-file={data}", f"--source={TOOL}"]
    coverage = [sys.executable, "-m", "coverage"]
    tally = runner.run(folder, runner.RANDOM, 0, runs, python=[*coverage, "run", *options])
    subprocess.run([*coverage, "combine", "-q", f"--data-file={data}", str(folder)], check=True)
    report = folder / "coverage.json"
    subprocess.run([*coverage, "json", "-q", f"--data-file={data}", "-o", str(report)], cwd=ROOT, check=True)
    files = {(ROOT / name).resolve(): told["summary"] for name, told in json.loads(report.read_text())["files"].items()}
    counts = {}
    for part, names in PARTS.items():
        told = [files[TOOL / name] for name in names]
        counts[part] = sum(t["covered_branches"] for t in told), sum(t["num_branches"] for t in told)
    return tally, counts


def shown(counts: dict[str, tuple[int, int]]) -> str:
    return ", ".join(
        f"{part} {took / all_of_them:.0%} ({took} of {all_of_them})" for part, (took, all_of_them) in counts.items()
    )
