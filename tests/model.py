# SPDX-License-Identifier: MIT
"""The clock in exact numbers: the specification that page, stubs and both kernel sides are measured against.

Times are Fractions of seconds. The page may differ from them by less than one nanosecond (`error_ns`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

REALTIME, MONOTONIC, MONOTONIC_RAW, REALTIME_COARSE, MONOTONIC_COARSE, BOOTTIME, TAI = 0, 1, 4, 5, 6, 7, 11
UPTIME_CLOCKS = (MONOTONIC, MONOTONIC_RAW, MONOTONIC_COARSE, BOOTTIME)
WALL_CLOCKS = (REALTIME, REALTIME_COARSE, TAI)
SERVED = tuple(sorted(UPTIME_CLOCKS + WALL_CLOCKS))
HZ_MIN, HZ_MAX = 32768, 4 * 10**9
YEAR = 365 * 24 * 3600
LIFE = 100 * YEAR
NSEC = 10**9


@dataclass(frozen=True)
class Clock:
    """A machine whose counter of `hz` started at 0; `wall` is (counter, second, nanosecond) of the last set_realtime."""

    hz: int
    wall: tuple[int, int, int] | None = None

    def set_realtime(self, counter: int, sec: int, nsec: int) -> Clock:
        return replace(self, wall=(counter, sec, nsec)) if 0 <= nsec < NSEC else self

    def time(self, clock: int, counter: int) -> Fraction | None:
        """Seconds that `clock` shows at `counter`; None: it is not for the page to say."""
        if clock in UPTIME_CLOCKS:
            return Fraction(counter, self.hz)
        if clock in WALL_CLOCKS and self.wall is not None:
            base, sec, nsec = self.wall
            return sec + Fraction(nsec, NSEC) + Fraction(max(counter - base, 0), self.hz)
        return None

    def resolution_ns(self) -> int:
        """One tick, rounded up to whole nanoseconds."""
        return -(-NSEC // self.hz)


def error_ns(sec: int, nsec: int, exact: Fraction) -> Fraction:
    """What sec.nsec is off, in nanoseconds. The nanoseconds must be of a second."""
    assert 0 <= nsec < NSEC, f"{nsec} is not the nanosecond of a second"
    return (sec + Fraction(nsec, NSEC) - exact) * NSEC
