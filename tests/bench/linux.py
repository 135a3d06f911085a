# SPDX-License-Identifier: MIT
"""A data page for the clock functions that Linux made, so that they run beside ours.

The layout has changed over the years. What this page needs to know of it is read off the code of the base itself: where
the page lies, and where in it the second of the two clocks starts (the one for MONOTONIC_RAW). What is in a clock is the
same since Linux 5.3 (include/vdso/datapage.h): seq, clock_mode, cycle_last, mask, mult, shift and a base time for each id.
Whether it was read right is seen from the answers: each must be the time that was put in.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction

import exact_clock
from one_cpu import PAGE
from vdso.image.analysis import analyse, outside
from vdso.image.model import Vdso

from .calls import Call

HEAD = struct.Struct("<IiQQII")  # seq, clock_mode, cycle_last, mask, mult, shift
TIME = struct.Struct("<QQ")  # seconds; nanoseconds, shifted left but for the coarse clocks
# Where the counter of one CPU may be behind that of another, most cycles stand behind cycle_last (max_cycles, Linux 6.10).
PROTECTED = struct.Struct("<IiQQQII")
MOST_CYCLES = 1 << 63
IDS = 12
CLOCK = HEAD.size + IDS * TIME.size
PROTECTED_CLOCK = PROTECTED.size + IDS * TIME.size
# Up to Linux 6.14 time zone and resolution stand in each clock, behind the base times. Later they stand once, behind the
# two clocks and eight auxiliary ones (struct vdso_time_data).
RESOLUTION = 8
CLOCKS = 2 + 8

BY_COUNTER = 1  # arch/*/include/asm/clocksource.h, vdso/clocksource.h: the first mode of each but VDSO_CLOCKMODE_NONE
HZ, SHIFT = 10_000_000, 24
MULT = (10**9 << SHIFT) // HZ
COARSE = (exact_clock.REALTIME_COARSE, exact_clock.MONOTONIC_COARSE)
TICK_NS = 4_000_000  # what the coarse clocks resolve: CONFIG_HZ=250
UPDATED = 3600 * HZ  # the counter when Linux last wrote the page
COUNTER = UPDATED + HZ // 1000  # the counter of the calls: 1 ms later, in the midst between two ticks


def times() -> dict[int, tuple[int, int]]:
    """Return seconds and nanoseconds of each clock at the last update, no two of them alike."""
    return {clock: (1_700_000_000 + 1000 * clock, 123_456_789 + 1_000_000 * clock) for clock in exact_clock.SERVED}


@dataclass(frozen=True)
class Layout:
    """page: its offset from the load address; raw: where in it the clock for MONOTONIC_RAW starts."""

    page: int
    raw: int

    @property
    def resolution(self) -> int:
        if self.raw in (CLOCK, PROTECTED_CLOCK):
            return CLOCKS * self.raw + RESOLUTION
        return CLOCK + RESOLUTION

    @property
    def head(self) -> int:
        """Return the bytes before the times of a clock."""
        return PROTECTED.size if self.raw == PROTECTED_CLOCK else HEAD.size


def layout(base: Vdso) -> Layout | str:
    """Return the layout that the code of clock_gettime uses, or the reason why the code does not tell."""
    function = analyse(base.data, base.exports[base.arch.export("clock_gettime")].value, base.arch)
    formed = sorted({(f.target, f.kind) for f in outside(function, len(base.data)) if not f.absolute})
    if not formed:
        return "reads no data: it asks the kernel"
    page = formed[0][0] // PAGE * PAGE
    starts = {target - page for target, kind in formed if kind == "address" and 0 < target - page < PAGE}
    if len(starts) != 1 or min(starts) < CLOCK:
        return f"its data has a layout that is not known: clocks at {', '.join(map(hex, sorted(starts))) or 'one place'}"
    return Layout(page, min(starts))


def page(found: Layout, updated: int = UPDATED) -> bytes:
    """Return the page as a Linux of HZ writes it when the counter is `updated`."""
    data = bytearray(PAGE)
    for start in (0, found.raw):
        if found.head == HEAD.size:
            HEAD.pack_into(data, start, 2, BY_COUNTER, updated, 2**64 - 1, MULT, SHIFT)
        else:
            PROTECTED.pack_into(data, start, 2, BY_COUNTER, updated, MOST_CYCLES, 2**64 - 1, MULT, SHIFT)
    for clock, (sec, nsec) in times().items():
        start = found.raw if clock == exact_clock.MONOTONIC_RAW else 0
        shift = 0 if clock in COARSE else SHIFT
        TIME.pack_into(data, start + found.head + clock * TIME.size, sec, nsec << shift)
    struct.pack_into("<I", data, found.resolution, 1)
    return bytes(data)


def exact(call: Call) -> Fraction | None:
    """Return the time, or the resolution, that a call must give, in seconds; None if the kernel must answer."""
    if call.clock not in times():
        return None
    if call.export == "clock_getres":
        return Fraction(TICK_NS if call.clock in COARSE else 1, exact_clock.NSEC)
    sec, nsec = times()[call.clock]
    gone = 0 if call.clock in COARSE else Fraction(COUNTER - UPDATED, HZ)
    return sec + Fraction(nsec, exact_clock.NSEC) + gone
