# SPDX-License-Identifier: MIT
"""`python -m bench ROOT OUT`: prints instruction counts, cycles and build times, and leaves them in OUT/bench as JSON.

The base is OUT/base.so, which the build of `scons bench` has made. The vDSOs of Linux in the folder that VDSO_BASES names,
if there is one, run beside it. The last lines are the limits (limits.py), and the status is 1 where an exact one is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import native
from machines import MACHINES

from . import build_times, cycles, limits, table
from .architectures import MEASURED
from .measured import Measured
from .modes import MODES, Mode, make
from .subject import Subject, ours, theirs

SIMULATED = (MODES[0], Mode("none", 10_000_000))
"""The blobs whose cycles are counted."""


def foreign(base: Path, measured: Measured) -> list[Subject]:
    """Return the base's own functions, and those of the other bases at hand, each vDSO once."""
    folder = os.environ.get("VDSO_BASES")
    paths = [base, *(sorted(Path(folder).glob("*.so"), reverse=True) if folder else [])]
    subjects = (theirs(path, measured) for path in paths)
    return list({subject.sha256: subject for subject in subjects if subject is not None}.values())


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description="Instructions and cycles a call, and build times.")
    parser.add_argument("root", type=Path, help="the checkout")
    parser.add_argument("out", type=Path, help="where `scons vdso` has put its outputs")
    args = parser.parse_args()
    root, out, work = args.root.resolve(), args.out.resolve(), args.out.resolve() / "bench"
    name = json.loads((out / "vdso.json").read_text(encoding="utf-8"))["arch"]
    measured = MEASURED[name]
    shutil.rmtree(work, ignore_errors=True)
    blobs = make(work / "blobs", out / "base.so", arch=measured.arch)

    subjects, linux = [ours(made, measured) for made in blobs], foreign(out / "base.so", measured)
    columns = table.columns([*subjects, *linux])
    print(table.text(columns), flush=True)
    cores: list[dict[str, Any]] = []
    if measured.cycles is not None:
        compared = [subject for made, subject in zip(blobs, subjects, strict=True) if made.mode in SIMULATED]
        cores, missing = measured.cycles([*compared, *linux], work / "cycles")
        print(cycles.text(cores, missing), flush=True)
    here = None
    if native.why_not(blobs[0].facts, MACHINES[name]) is None:
        here = native.measure(blobs[0].folder, MACHINES[name], native.build(MACHINES[name], work / "program"))
        print(f"clock_gettime(MONOTONIC) on this machine, beside Linux's own vDSO and a system call\n\n{here}\n", flush=True)
    times = build_times.measure(root, out, work / "times", [f"ARCH={name}"])
    print(build_times.text(times), flush=True)
    more = 0 if measured.most.counted_by(blobs[0].facts) else limits.OTHER_COMPILER
    by_mode = {made.mode.title: column for made, column in zip(blobs, columns, strict=False)}
    held = limits.of_instructions(by_mode, measured.most, more)
    held += limits.of_cycles(cores) + limits.of_this_machine(here) + limits.of_times(times)
    print(limits.text(held), end="", flush=True)
    report = {"instructions": columns, "cycles": cores, "this machine": here and here.report(), "build times": times}
    (work / "bench.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return limits.status(held)


sys.exit(main())
