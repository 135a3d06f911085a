# SPDX-License-Identifier: MIT
"""Measures an image on this very machine, where that is one of the image's architecture, beside what Linux has there.

    found = measure(vdso, machine, program)
    print(found)

The launcher runs the program of demo.c with the image in place of Linux's own vDSO. The same program runs with Linux's, and
without any. One of each is a turn: what slows the machine slows all three, so the ratios are those of each turn, of which the
one in the middle counts.
"""

from __future__ import annotations

import json
import platform
import re
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from machines import Machine
from machines.machine import LAUNCHER, demo_command, launcher_flags

CALLS = 200_000  # of each run, a multiple of demo.c's batch
TURNS = 10
SECONDS = 60
CLOCK_SOURCE = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")


class NativeError(Exception):
    """A program could not be built, or did not run to its end: one line."""


@dataclass(frozen=True)
class Turn:
    """Nanoseconds of a call with the image, with Linux's own vDSO, and by a system call."""

    ours: float
    linux: float
    syscall: float


@dataclass(frozen=True)
class Native:
    """
    hz      of the counter, which turns nanoseconds into ticks
    source  what Linux's own clock reads, as Linux calls it
    """

    turns: Sequence[Turn]
    hz: int
    source: str

    @property
    def least(self) -> Turn:
        return Turn(*(min(getattr(turn, name) for turn in self.turns) for name in ("ours", "linux", "syscall")))

    @property
    def pairs(self) -> list[float]:
        """Return our time of each turn in that of Linux's own vDSO, the least first."""
        return sorted(turn.ours / turn.linux for turn in self.turns)

    @property
    def of_linux(self) -> float:
        """Return our time in that of Linux's own vDSO."""
        return statistics.median(self.pairs)

    @property
    def ratio(self) -> float:
        """Return the time of a system call in that of ours."""
        return statistics.median(turn.syscall / turn.ours for turn in self.turns)

    def report(self) -> dict[str, Any]:
        """Return all that was measured, for a JSON file."""
        return {"of_linux": self.of_linux, "ratio": self.ratio, **asdict(self)}

    def __str__(self) -> str:
        pairs, least = self.pairs, self.least
        lines = (
            f"native vdso={name} ns_per_call={ns:.1f} ticks_per_call={ns * self.hz / 1e9:.1f}"
            for name, ns in (("ours", least.ours), ("linux", least.linux), ("off", least.syscall))
        )
        last = f"native ratio={self.ratio:.1f} of_linux={self.of_linux:.2f} from={pairs[0]:.2f} to={pairs[-1]:.2f}"
        return "\n".join([*lines, f"{last} turns={len(pairs)} clocksource={self.source}"])


def why_not(facts: Mapping[str, Any], machine: Machine) -> str | None:
    """Return why an image can't be measured here, '' where nobody would expect it; None if it can. `facts`: its vdso.json."""
    if platform.machine() != machine.arch or platform.system() != "Linux" or machine.place is None:
        return ""
    if facts["counter_offset"]:
        return "its counter is in a page of a device"
    if facts["data_offset"] is None:
        return "it has no data page, and this machine's counter need not run at the frequency that is compiled in"
    return None


def _output(*command: object) -> str:
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NativeError(f"{words[0]}: {error}") from None
    if done.returncode:
        raise NativeError(f"{' '.join(words)}: status {done.returncode}: {(done.stdout + done.stderr).strip()[-500:]}")
    return done.stdout


def build(machine: Machine, program: Path) -> Path:
    """Build `program` of demo.c, and return it. NativeError where that fails."""
    _output(*demo_command(machine, program))
    return program


def measure(vdso: Path, machine: Machine, program: Path) -> Native:
    """Measure the image in the folder `vdso` by `program`, beside which the launcher is built.

    NativeError where something does not run.
    """
    assert machine.place is not None, "why_not() says so"
    launcher = program.with_name("launcher")
    _output(*machine.compile, *launcher_flags(machine.arch, machine.place), LAUNCHER, "-o", launcher)
    image = (vdso / "vdso.so", json.loads((vdso / "vdso.json").read_text())["data_offset"], program)

    def call(*words: object) -> float:
        said = re.search(r"ns_per_call=([0-9.]+) ", _output(*words, CALLS))
        if said is None:
            raise NativeError(f"{program}: it does not say how long a call takes")
        return float(said[1])

    turns = [Turn(call(launcher, *image), call(program), call(launcher, "--auxv=no", *image)) for _ in range(TURNS)]
    source = CLOCK_SOURCE.read_text().strip() if CLOCK_SOURCE.exists() else "unknown"
    return Native(turns, int(_output(launcher, "--hz")), source)
