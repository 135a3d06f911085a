# SPDX-License-Identifier: MIT
"""The calls that are counted of every architecture: for the clocks with each served id, and with one that is not served."""

from __future__ import annotations

from dataclasses import dataclass

import exact_clock
from one_cpu import BUFFER

CLOCKS = {
    "REALTIME": exact_clock.REALTIME,
    "MONOTONIC": exact_clock.MONOTONIC,
    "MONOTONIC_RAW": exact_clock.MONOTONIC_RAW,
    "REALTIME_COARSE": exact_clock.REALTIME_COARSE,
    "MONOTONIC_COARSE": exact_clock.MONOTONIC_COARSE,
    "BOOTTIME": exact_clock.BOOTTIME,
    "TAI": exact_clock.TAI,
}
NOT_SERVED = {"PROCESS_CPUTIME_ID": 2}
STATE = BUFFER + 256  # of getrandom


@dataclass(frozen=True)
class Call:
    """`case`: the clock, "" where there is none; `clock`: its id."""

    export: str
    case: str
    arguments: tuple[int, ...]
    clock: int | None = None


COMMON = (
    *(Call("clock_gettime", name, (clock, BUFFER), clock) for name, clock in (CLOCKS | NOT_SERVED).items()),
    Call("gettimeofday", "", (BUFFER, 0), exact_clock.REALTIME),
    *(Call("clock_getres", name, (clock, BUFFER), clock) for name, clock in (CLOCKS | NOT_SERVED).items()),
)
GETCPU = Call("getcpu", "", (BUFFER, BUFFER + 8, 0))
GETRANDOM = Call("getrandom", "", (BUFFER, 16, 0, STATE, 144))
