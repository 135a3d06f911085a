# SPDX-License-Identifier: MIT
"""Which branches of the product the cases take, part by part."""

from __future__ import annotations

import json
import subprocess
import sys

from repository import ROOT

from . import runner
from .way import Way

TOOL = ROOT / "site_scons" / "site_tools" / "vdso"
# Debian's packages and the live dump are not reached by a file that comes in.
PARTS = {
    "extract": (*(f"extract/{name}.py" for name in ("find", "containers", "deb", "compression", "core")), "elf/headers.py"),
    "image": ("image/*.py", "policy/*.py", "elf/*.py", "arch/**/*.py"),
    "splice": ("place/*.py", "tables/*.py", "splice/*.py"),
    "verify": ("verify/**/*.py",),
}


def covered(way: Way, runs: int) -> tuple[runner.Tally, dict[str, tuple[int, int]]]:
    """Return the results of the first `runs` cases, and for each part how many branches they took, of how many."""
    folder, data = way.folder, way.folder / "coverage"
    options = ["--branch", "--parallel-mode", f"--data-file={data}", f"--source={TOOL}"]
    coverage = [sys.executable, "-m", "coverage"]
    tally = runner.run(way, runner.RANDOM, 0, runs, python=[*coverage, "run", *options])
    subprocess.run([*coverage, "combine", "-q", f"--data-file={data}", str(folder)], check=True)
    report = folder / "coverage.json"
    subprocess.run([*coverage, "json", "-q", f"--data-file={data}", "-o", str(report)], cwd=ROOT, check=True)
    files = {(ROOT / name).resolve(): told["summary"] for name, told in json.loads(report.read_text())["files"].items()}
    counts = {}
    for part, names in PARTS.items():
        told = [files[path] for name in names for path in TOOL.glob(name) if path in files]
        counts[part] = sum(t["covered_branches"] for t in told), sum(t["num_branches"] for t in told)
    return tally, counts


def shown(counts: dict[str, tuple[int, int]]) -> str:
    return ", ".join(
        f"{part} {took / all_of_them:.0%} ({took} of {all_of_them})" for part, (took, all_of_them) in counts.items()
    )
