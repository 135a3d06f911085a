# SPDX-License-Identifier: MIT
"""The clock in exact numbers: the specification that page, stubs and both kernel sides are measured against.

Times are Fractions of seconds. What is read may differ from them by less than `FRESH_NS`, after a first `adjust` or
`suspend` by less than `REBASED_NS` (`error_ns`). The methods are those of the kernel's side, each giving the clock after
the call; a call that is refused gives the very same clock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

REALTIME, MONOTONIC, MONOTONIC_RAW, REALTIME_COARSE, MONOTONIC_COARSE, BOOTTIME, TAI = 0, 1, 4, 5, 6, 7, 11
UPTIME_CLOCKS = (MONOTONIC, MONOTONIC_RAW, MONOTONIC_COARSE, BOOTTIME)
WALL_CLOCKS = (REALTIME, REALTIME_COARSE, TAI)
SERVED = tuple(sorted(UPTIME_CLOCKS + WALL_CLOCKS))
NOT_SERVED = (2, 3, 8, 9, 10, 12, 99, -1, -(1 << 31), (1 << 31) - 1)
HZ_MIN, HZ_MAX = 32768, 5_800_000_000
PPB_MAX = 10**8
YEAR = 365 * 24 * 3600
LIFE = 100 * YEAR
NSEC = 10**9
FRESH_NS, REBASED_NS = Fraction(11, 10), Fraction(2)


@dataclass(frozen=True)
class Line:
    """Shows `at` seconds at the counter `base`, then `rate` seconds a tick; a counter below the base reads as the base."""

    base: int
    at: Fraction
    rate: Fraction

    def time(self, counter: int) -> Fraction:
        return self.at + max(counter - self.base, 0) * self.rate

    def bend(self, counter: int, rate: Fraction) -> Line:
        """Return the line with another rate from `counter` on, without a jump."""
        return Line(max(counter, self.base), self.time(counter), rate)


@dataclass(frozen=True)
class Clock:
    """hz 0: init was refused. wall: REALTIME, None before it is set. depth: begins without their end.

    tick_ns     nanoseconds between the ticks that the COARSE clocks follow; 0: they run as the clocks that they follow
    stands      what MONOTONIC_COARSE and REALTIME_COARSE show while they follow a tick
    """

    hz: int
    monotonic: Line
    raw: Line
    boot: Line
    wall: Line | None = None
    tai_offset: int = 0
    ppb: int = 0
    suspended: bool = False
    depth: int = 0
    disabled: bool = False
    tick_ns: int = 0
    stands: tuple[Fraction, Fraction | None] = (Fraction(0), None)

    @classmethod
    def init(cls, hz: int) -> Clock:
        known = hz if HZ_MIN <= hz <= HZ_MAX else 0
        line = Line(0, Fraction(0), Fraction(1, known) if known else Fraction(0))
        return cls(known, line, line, line)

    @property
    def rate(self) -> Fraction:
        """Return the seconds a tick of all clocks but MONOTONIC_RAW."""
        return Fraction(0) if self.suspended else Fraction(NSEC + self.ppb, NSEC * self.hz)

    def begin(self) -> Clock:
        return replace(self, depth=self.depth + 1) if self.hz else self

    def end(self) -> Clock:
        return replace(self, depth=max(self.depth - 1, 0))

    def disable(self) -> Clock:
        return replace(self, disabled=self.hz > 0)

    def set_realtime(self, counter: int, sec: int, nsec: int) -> Clock:
        if not self.hz or nsec >= NSEC:
            return self
        new = replace(self, wall=Line(counter, sec + Fraction(nsec, NSEC), self.rate))
        return replace(new, stands=(self.stands[0], new.wall.time(counter)))  # type: ignore[union-attr]

    def set_tai_offset(self, sec: int) -> Clock:
        return replace(self, tai_offset=sec) if self.hz else self

    def set_monotonic(self, counter: int, sec: int, nsec: int, shown: tuple[int, int]) -> Clock:
        """Move MONOTONIC forward only: `shown` is its reading at `counter`, and no program has seen more."""
        if not self.depth or nsec >= NSEC or (sec, nsec) < shown:
            return self
        new = sec + Fraction(nsec, NSEC)
        boot = new + self.boot.time(counter) - self.monotonic.time(counter)
        return replace(self, monotonic=Line(counter, new, self.rate), boot=Line(counter, boot, self.rate))._follow(counter)

    def adjust(self, counter: int, ppb: int) -> Clock:
        if not self.depth or abs(ppb) > PPB_MAX:
            return self
        new = replace(self, ppb=ppb)
        return new if self.suspended else new._bent(counter, new.rate, self.raw)

    def suspend(self, counter: int) -> Clock:
        if not self.depth or self.suspended:
            return self
        return replace(self, suspended=True)._bent(counter, Fraction(0), self.raw.bend(counter, Fraction(0)))

    def resume(self, counter: int, slept_ns: int) -> Clock:
        if not self.depth or not self.suspended:
            return self
        new, slept = replace(self, suspended=False), Fraction(slept_ns, NSEC)
        new = replace(
            new,
            monotonic=Line(counter, self.monotonic.at, new.rate),
            raw=Line(counter, self.raw.at, Fraction(1, self.hz)),
            boot=Line(counter, self.boot.at + slept, new.rate),
            wall=self.wall and Line(counter, self.wall.at + slept, new.rate),
        )
        return new._follow(counter)

    def set_tick(self, counter: int, nsec: int) -> Clock:
        if not self.hz or not self.resolution_ns(MONOTONIC) <= nsec < NSEC:
            return self
        stands = self.stands if self.tick_ns else (self.monotonic.time(counter), self.wall and self.wall.time(counter))
        return replace(self, tick_ns=nsec, stands=stands)._follow(counter)

    def tick(self, counter: int) -> Clock:
        return replace(self)._follow(counter) if self.tick_ns else self

    def _follow(self, counter: int) -> Clock:
        """Let the COARSE clocks stand where they are now. They never go back, though another hart's counter may be behind."""
        monotonic, wall = self.stands
        if self.wall is not None:
            now = self.wall.time(counter)
            wall = now if wall is None else max(wall, now)
        return replace(self, stands=(max(monotonic, self.monotonic.time(counter)), wall))

    def _bent(self, counter: int, rate: Fraction, raw: Line) -> Clock:
        monotonic, boot = self.monotonic.bend(counter, rate), self.boot.bend(counter, rate)
        return replace(self, monotonic=monotonic, boot=boot, raw=raw, wall=self.wall and self.wall.bend(counter, rate))

    def time(self, clock: int, counter: int) -> Fraction | None:
        """Return the seconds that `clock` shows the kernel's `read` at `counter`; None: the page does not have it."""
        if self.tick_ns and clock in (MONOTONIC_COARSE, REALTIME_COARSE):
            return self.stands[clock == REALTIME_COARSE]
        lines = {MONOTONIC: self.monotonic, MONOTONIC_COARSE: self.monotonic, MONOTONIC_RAW: self.raw, BOOTTIME: self.boot}
        line = lines.get(clock, self.wall if clock in WALL_CLOCKS else None)
        if not self.hz or line is None:
            return None
        return line.time(counter) + (self.tai_offset if clock == TAI else 0)

    def served(self, clock: int) -> bool:
        """Tell whether user space reads this clock without the kernel."""
        return self.time(clock, 0) is not None and not self.depth and not self.disabled

    def resolution_ns(self, clock: int) -> int:
        """Return one tick of the counter, rounded up to whole nanoseconds, or one of the kernel."""
        coarse = clock in (MONOTONIC_COARSE, REALTIME_COARSE)
        return self.tick_ns if coarse and self.tick_ns else -(-NSEC // self.hz)


def error_ns(sec: int, nsec: int, exact: Fraction) -> Fraction:
    """Return the error of sec.nsec, in nanoseconds. nsec must be less than a second."""
    assert 0 <= nsec < NSEC, f"{nsec} is not the nanosecond of a second"
    return (sec + Fraction(nsec, NSEC) - exact) * NSEC
