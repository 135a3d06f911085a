# SPDX-License-Identifier: MIT
"""Runs cases in a process with limits: `python -m fuzz.worker FOLDER ARCH CASES FIRST LAST`, a line of JSON for each.

CASES is MODULE:FUNCTION, a function from a number and a Way to a Case. What can't be told from inside, its own death and
silence, is for the one who started it to see (`runner`).
"""

from __future__ import annotations

import importlib
import json
import re
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .architectures import FUZZED
from .choices import seeded
from .way import Case, Way

MEMORY = 3 << 30  # of addresses, on top of what the process has when it begins
SECONDS = 60


class Hang(BaseException):
    """Not an Exception: nothing that is tried may take it for one of its own."""


def random_case(number: int, way: Way) -> Case:
    from .cases import case

    return case(seeded(number), way.seeds)


def _hang(_signal: int, _frame: Any) -> None:
    raise Hang(f"not done after {SECONDS} seconds")


def _story(error: BaseException) -> str:
    """Return the error, and the innermost places that it comes from."""
    frames = traceback.extract_tb(error.__traceback__)[:-4:-1]
    places = " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames)
    return f"{type(error).__name__}: {str(error)[:600]} ({places})"


def _one(way: Way, make: Callable[[int, Way], Case], number: int) -> dict[str, Any]:
    started = time.perf_counter()
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        try:
            told = {"end": way.end(make(number, way))}
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except (Exception, Hang) as error:
        told = {"violation": _story(error)}
    return {"number": number, "seconds": time.perf_counter() - started, **told}


def main(folder: str, arch: str, cases: str, first: str, last: str) -> None:
    module, _, name = cases.partition(":")
    make = getattr(importlib.import_module(module), name)
    way = Way(Path(folder), FUZZED[arch])
    signal.signal(signal.SIGALRM, _hang)
    has = int(re.findall(r"VmSize:\s+(\d+)", Path("/proc/self/status").read_text())[0]) << 10
    resource.setrlimit(resource.RLIMIT_AS, (has + MEMORY, has + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in range(int(first), int(last)):
        print(json.dumps(_one(way, make, number)), flush=True)
    way.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    print(json.dumps({"peak": peak}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
