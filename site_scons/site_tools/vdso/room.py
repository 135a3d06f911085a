# SPDX-License-Identifier: MIT
"""Free room in an image: byte ranges that are taken piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .elf import align_up

Range = tuple[int, int]


def merged(ranges: Iterable[Range]) -> list[Range]:
    """The same bytes as ascending, disjoint ranges that don't touch."""
    result: list[Range] = []
    for start, end in sorted(r for r in ranges if r[0] < r[1]):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result


def without(ranges: Iterable[Range], taken: Iterable[Range]) -> list[Range]:
    """`ranges` less all bytes of `taken`."""
    result = merged(ranges)
    for start, end in merged(taken):
        result = [
            piece for low, high in result for piece in ((low, min(high, start)), (max(low, end), high)) if piece[0] < piece[1]
        ]
    return result


class Room:
    """Mutable while a placement is made, never part of a record."""

    def __init__(self, ranges: Iterable[Range]) -> None:
        self.ranges: Sequence[Range] = merged(ranges)

    def take_at(self, start: int, size: int) -> bool:
        """Take [start, start + size) if all of it is free."""
        if not any(low <= start and start + size <= high for low, high in self.ranges):
            return False
        self.ranges = without(self.ranges, [(start, start + size)])
        return True

    def take(self, size: int, align: int) -> int | None:
        """Take from the smallest range that fits, the lowest of equal ones; the address, or None."""
        fitting = [(high - low, low) for low, high in self.ranges if align_up(low, align) + size <= high]
        if not fitting:
            return None
        start = align_up(min(fitting)[1], align)
        self.ranges = without(self.ranges, [(start, start + size)])
        return start
