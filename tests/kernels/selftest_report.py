# SPDX-License-Identifier: MIT
"""vdso-selftest as tests use it: its file, what it prints, and the names of its tests."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kernel_builds import session_folder
from scons_build import scons

ENTRY, ADDRESS = "AT_SYSINFO_EHDR is in the auxiliary vector", "AT_SYSINFO_EHDR is the address of a page"
IMAGE, DATA, CONTENT = "the image can be read, all of it", "the data page can be read", "the data page is initialised"
CALL, COUNTER, COST = "a call of the vDSO comes back", "user mode can read the counter", "reading the counter does not trap"
SECOND = "MONOTONIC does not go back in a second"


THREADS = "MONOTONIC does not go back between threads"
WRITES = {"the image can't be written", "the data page can't be written", "mprotect() can't make the data page writable"}
FAULTS = WRITES | {"the data page can't be executed"}
IMAGE_COPYOUT, DATA_COPYOUT = (f"system calls can't write into the {what}" for what in ("image", "data page"))
RESTARTED = "the counter has not started anew"
HANDLER = "signal handlers return as Linux's do"
SERVED = ("REALTIME", "MONOTONIC", "MONOTONIC_RAW", "REALTIME_COARSE", "MONOTONIC_COARSE", "BOOTTIME", "TAI")
CLOCKS = {f"clock_gettime({name})" for name in SERVED}
NOT_CLOCKS = {f"clock_gettime({name})" for name in (2, 3, 99, -1)}
TIMES = {"gettimeofday", "clock_getres"}


@dataclass(frozen=True)
class Report:
    """What a run printed, read as TAP. `failures`: description to the reason below it; `skips`: to the reason in the line
    and below it."""

    text: str
    plan: int
    passed: tuple[str, ...]
    failures: Mapping[str, str]
    skips: Mapping[str, str]

    @property
    def notes(self) -> str:
        return "".join(re.findall(r"^# .*\n", self.text, re.M))


def read_tap(text: str) -> Report:
    """Return the report in `text`, which may have other lines before and behind it."""
    start = text.index("TAP version 13\n1..")
    text = text[start:]
    plan = int(text.split("\n")[1].removeprefix("1.."))
    found = re.findall(r"^(not ok|ok) (\d+) - ([^#\n]*?)(?: # SKIP (.*))?\n((?:#   .*\n)*)", text, re.M)
    assert [int(number) for _, number, *_ in found] == list(range(1, plan + 1)), text
    failures = {name: reason for verdict, _, name, _, reason in found if verdict == "not ok"}
    skips = {name: why + below for verdict, _, name, why, below in found if why}
    passed = tuple(name for verdict, _, name, why, _ in found if verdict == "ok" and not why)
    assert all(re.search(r"\d", reason) for reason in failures.values()), f"a failure without the number that is wrong: {text}"
    assert not re.search(r"(?:vDSO|system call) -\d+ ns", text), f"a cost below zero: {text}"
    assert last_line(found) in text.splitlines(), text
    return Report(text, plan, passed, failures, skips)


def last_line(found: list[tuple[str, ...]]) -> str:
    """Return the line that must end the report: how many tests had which verdict, and which, but for the good ones."""
    bad = [number for verdict, number, *_ in found if verdict == "not ok"]
    skipped = [number for _, number, _, why, _ in found if why]
    named = [f"{len(numbers)} {what}" + (f" ({', '.join(numbers)})" if numbers else "")
             for numbers, what in ((bad, "not ok"), (skipped, "not tried"))]  # fmt: skip
    return ", ".join([f"# {len(found)} tests: {len(found) - len(bad) - len(skipped)} ok", *named])


COPIED = 32
"""Bytes that no call of the copyout tests exceeds (MOST in test_copyout.c)."""


def copyout_into_image(vdso: Path) -> str:
    """Return what the report says where a copyout reaches the image in the folder `vdso`: at its last zeros."""
    facts, image = json.loads((vdso / "vdso.json").read_text()), (vdso / "vdso.so").read_bytes()
    free = next(at for at in range(len(image) - COPIED, 0, -8) if not any(image[at : at + COPIED]))
    return f"asked to write at {facts['load_addr'] + free:#x}, answers 0 and has changed what lies there"


@cache
def selftest(arch: str = "riscv64") -> Path:
    out = session_folder() / f"selftest-{arch}"
    done = scons("selftest", f"OUT={out}", f"ARCH={arch}")
    assert done.returncode == 0, done.stdout + done.stderr
    return out / "vdso-selftest"
