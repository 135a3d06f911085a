# SPDX-License-Identifier: MIT
"""What calls are made to: a machine with an image, ours or Linux's, and what the answers must be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from exact_clock import MONOTONIC, NSEC, Clock
from kernel_side import DataPage
from kernel_side import build as build_kernel
from one_cpu import OneCpu
from vdso.errors import VdsoError
from vdso.image.analysis import analyse, outside
from vdso.image.reader import read_vdso

from . import linux
from .calls import COMMON, GETRANDOM, Call
from .measured import Measured
from .modes import Made

HZ = 10_000_000  # of the machine that a data page is made for
UP = 3600  # seconds that it has been up at the calls
WALL = (HZ, 1_700_000_000, 123_456_789)


@dataclass(frozen=True)
class Function:
    """Code of an export: its offset in the image, and its bytes. `reason`: why it can't be run, "" if it can."""

    address: int | None
    size: int | None
    reason: str = ""


@dataclass(frozen=True)
class Start:
    """A machine whose counter begins at 0, as that of a simulated core does.

    data_offset     of the data page, from the image; None: there is none
    page            the data page then
    monotonic       what MONOTONIC shows then, in seconds
    """

    image: bytes
    data_offset: int | None
    page: bytes
    monotonic: int


@dataclass(frozen=True)
class Subject:
    """
    name        as a heading
    sha256      of the image
    counter     during the calls
    functions   by export, without its prefix
    calls       that are made
    exact       what a call must give in seconds; None: it asks the kernel
    start       None where nothing is known of the data that the functions read
    """

    name: str
    sha256: str
    machine: OneCpu
    counter: int
    functions: Mapping[str, Function]
    calls: tuple[Call, ...]
    exact: Callable[[Call], Fraction | None]
    start: Start | None = None


def calls(measured: Measured) -> tuple[Call, ...]:
    """Return the calls of an architecture."""
    return (*COMMON, *measured.calls, GETRANDOM)


def ours(made: Made, measured: Measured) -> Subject:
    """Return a blob of ours as a subject; the functions of its own vdso.h write its data page."""
    hz = made.mode.hz or HZ
    counter, clock = UP * hz, Clock.init(hz)
    data_offset, first = None if made.mode.hz else made.facts["data_offset"], b""
    machine = measured.machine(made.image, data_offset)
    if not made.mode.hz:
        page = DataPage(build_kernel(made.folder, made.folder / "vdso.h")).init(hz)
        first = bytes(page)
        page.set_realtime(*WALL)
        clock = clock.set_realtime(*WALL)
        machine.set_page(bytes(page))

    def exact(call: Call) -> Fraction | None:
        if call.clock is None or clock.time(call.clock, counter) is None:
            return None
        if call.export == "clock_getres":
            return Fraction(clock.resolution_ns(call.clock), NSEC)
        return clock.time(call.clock, counter)

    functions = {
        measured.arch.short(export["name"]): Function(
            export["address"], export["size"], "hidden" if export["address"] is None else ""
        )
        for export in made.facts["exports"]
    }
    start = Start(made.image, data_offset, first, monotonic=0)
    return Subject(made.mode.title, made.facts["image_sha256"], machine, counter, functions, calls(measured), exact, start)


def theirs(path: Path, measured: Measured) -> Subject | None:
    """Return the base itself as a subject, with a data page of Linux made for it.

    None for a vDSO of another architecture, with CFI or of 32 bits.
    """
    try:
        base = read_vdso(path.name, path.read_bytes(), measured.arch)
    except VdsoError:
        return None
    found = linux.layout(base)
    known = isinstance(found, linux.Layout)
    machine, start = measured.machine(base.data, found.page if known else None), None
    if known:
        machine.set_page(linux.page(found))
        start = Start(base.data, found.page, linux.page(found, updated=0), linux.times()[MONOTONIC][0])
    functions = {}
    for name, symbol in base.exports.items():
        short, reason = base.arch.short(name), ""
        if outside(analyse(base.data, symbol.value, base.arch), len(base.data)):
            clock = short in ("clock_gettime", "clock_getres", "gettimeofday")
            reason = ("" if known else str(found)) if clock else "reads data of Linux that is not the clock's"
        functions[short] = Function(symbol.value, symbol.size, reason)
    name = str(base.maker)
    exact = linux.exact if known else lambda _call: None
    digest = hashlib.sha256(base.file).hexdigest()
    return Subject(name, digest, machine, linux.COUNTER, functions, calls(measured), exact, start)
