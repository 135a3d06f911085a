# SPDX-License-Identifier: MIT
"""Byte ranges: one span, sets of spans, and free room that is taken piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


def align_up(value: int, alignment: int) -> int:
    """Return the first multiple of `alignment` that is not below `value`."""
    return -(-value // alignment) * alignment


@dataclass(frozen=True, order=True)
class Span:
    """Bytes [start, start + size). A span can't be unpacked, so that nobody takes its size for its end."""

    start: int
    size: int

    @classmethod
    def between(cls, start: int, end: int) -> Span:
        """Return the bytes [start, end)."""
        return cls(start, end - start)

    @property
    def end(self) -> int:
        return self.start + self.size

    def holds(self, address: int) -> bool:
        """Tell whether the byte at `address` is in this span."""
        return self.start <= address < self.end

    def covers(self, other: Span) -> bool:
        """Tell whether all bytes of `other` are in this span."""
        return self.start <= other.start and other.end <= self.end

    def overlaps(self, other: Span) -> bool:
        """Tell whether some byte is in both spans."""
        return self.start < other.end and other.start < self.end


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return the same bytes as ascending, disjoint spans that don't touch."""
    result: list[Span] = []
    for span in sorted(s for s in spans if s.size > 0):
        if result and span.start <= result[-1].end:
            result[-1] = Span.between(result[-1].start, max(span.end, result[-1].end))
        else:
            result.append(span)
    return result


def without(spans: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """Return the bytes of `spans` that are in none of `taken`, as `merged` does."""
    result = merged(spans)
    for gone in merged(taken):
        pieces = (
            Span.between(start, end)
            for span in result
            for start, end in ((span.start, min(span.end, gone.start)), (max(span.start, gone.end), span.end))
        )
        result = [piece for piece in pieces if piece.size > 0]
    return result


class Room:
    """Free bytes. It changes while a placement is made, and is never part of a record."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self.spans: Sequence[Span] = merged(spans)

    def take_at(self, start: int, size: int) -> bool:
        """Take [start, start + size) if all of it is free, and tell whether it was."""
        asked = Span(start, size)
        if not any(span.covers(asked) for span in self.spans):
            return False
        self.spans = without(self.spans, [asked])
        return True

    def take(self, size: int, align: int) -> int | None:
        """Take from the smallest span that fits, the lowest of equal ones; return the address, or None."""
        fitting = [(span.size, span.start) for span in self.spans if align_up(span.start, align) + size <= span.end]
        if not fitting:
            return None
        start = align_up(min(fitting)[1], align)
        self.spans = without(self.spans, [Span(start, size)])
        return start
