# SPDX-License-Identifier: MIT
"""Draws regions to scale: a page is 32 rows of 128 bytes, read like a text, and every byte has the same area."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..arch.arch import HIDE, KEEP, REPLACE, SYSCALL
from ..elf.elf64 import PAGE
from ..ranges import align_up
from .regions import COUNTER, DATA, REST, Region

ROW = 128
"""Bytes in a row of the drawing."""
WIDTH, HEIGHT = 5, 14
"""Of a byte, in units of the drawing: code of 8 bytes is visible, and a row is as high as a line of text."""
_LETTER = 5.6  # width of a letter in a label, in the same units

CELL, CELLS = 16, 64
"""Bytes in a character of the terminal's map, and characters in a line of it."""
LETTERS = {"headers": "h", "table": "t", KEEP: "K", REPLACE: "R", SYSCALL: "S", HIDE: "X", "code": "c", "trap": "!", REST: "."}
_BESIDE = {DATA: "the data page", COUNTER: "the page of the counter"}


@dataclass(frozen=True)
class Shape:
    """The part of a region on one page.

    path    SVG path data
    x, y    place of its name
    label   the shape has room for the name
    """

    region: Region
    path: str
    x: int
    y: int
    label: bool


@dataclass(frozen=True)
class Page:
    """Bytes [start, start + PAGE) of a map."""

    start: int
    name: str
    shapes: tuple[Shape, ...]

    @property
    def marks(self) -> list[tuple[int, int]]:
        """Return (address, y) of each address that is written beside the drawing."""
        return [(self.start + at, at // ROW * HEIGHT) for at in range(0, PAGE, PAGE // 8)]


def drawn(regions: Sequence[Region], prefix: str) -> tuple[Page, ...]:
    """Return the pages of a map, whose first region begins at a page. Labels leave out `prefix`, that of exports."""
    drawn_pages = []
    for start in range(regions[0].start, regions[-1].end, PAGE):
        here = [r for r in regions if r.start < start + PAGE and r.end > start]
        name = _BESIDE.get(here[0].kind, f"page {start // PAGE}")
        drawn_pages.append(
            Page(start, name, tuple(_shape(r, max(r.start, start) - start, min(r.end - start, PAGE), prefix) for r in here))
        )
    return tuple(drawn_pages)


def _shape(region: Region, low: int, high: int, prefix: str) -> Shape:
    """Return the shape of bytes [low, high) of a page."""
    boxes = _boxes(low, high)
    x, y, width, height = max(boxes, key=lambda box: box[2] * min(box[3], 2 * HEIGHT))
    fits = len(region.name.replace(prefix, "")) * _LETTER + 6 <= width
    return Shape(region, _outline(low, high), x + 4 if fits else x, y + (height + 7) // 2 if fits else y - 3, fits)


def _boxes(low: int, high: int) -> list[tuple[int, int, int, int]]:
    """Return (x, y, width, height) of up to three boxes: end of the first row, whole rows, begin of the last row."""
    borders = sorted({low, min(align_up(low, ROW), high), max(high // ROW * ROW, low), high})
    return [
        (a % ROW * WIDTH, a // ROW * HEIGHT, min(b - a, ROW) * WIDTH, align_up(b - a, ROW) // ROW * HEIGHT)
        for a, b in pairwise(borders)
    ]


def _outline(low: int, high: int) -> str:
    """Return the path around bytes [low, high) of a page: one outline if their rows touch, else one for each of two boxes."""
    left, top = low % ROW * WIDTH, low // ROW * HEIGHT
    right, bottom = ((high - 1) % ROW + 1) * WIDTH, ((high - 1) // ROW + 1) * HEIGHT
    rows = (bottom - top) // HEIGHT
    if rows == 1 or (rows == 2 and right <= left):
        return "".join(f"M{x} {y}h{width}v{height}h{-width}z" for x, y, width, height in _boxes(low, high))
    end, last = ROW * WIDTH, bottom - HEIGHT
    return f"M{left} {top}H{end}V{last}H{right}V{bottom}H0V{top + HEIGHT}H{left}z"


def lines(regions: Sequence[Region]) -> list[tuple[int, list[tuple[str, str]]]]:
    """Return the map for a terminal: for each line the address and runs of (kind, letters). Even a tiny function is shown."""
    functions = {KEEP, REPLACE, SYSCALL, HIDE}
    rows = []
    for start in range(0, regions[-1].end, CELL * CELLS):
        runs: list[tuple[str, str]] = []
        for low in range(start, min(start + CELL * CELLS, regions[-1].end), CELL):
            here = [(r.kind in functions, min(r.end, low + CELL) - max(r.start, low), r.kind) for r in regions]
            kind = max(entry for entry in here if entry[1] > 0)[2]
            if runs and runs[-1][0] == kind:
                runs[-1] = (kind, runs[-1][1] + LETTERS[kind])
            else:
                runs.append((kind, LETTERS[kind]))
        rows.append((start, runs))
    return rows
