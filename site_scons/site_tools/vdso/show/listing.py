# SPDX-License-Identifier: MIT
"""Lists the code of a function for people: coloured instructions, and the regions that they refer to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..arch.arch import Arch
from ..image.analysis import analyse, outside
from ..ranges import Span, merged, without
from .regions import Region, at


@dataclass(frozen=True)
class Target:
    """An address that an instruction forms.

    region      the region of the address; None: outside of load or image, and of the data page
    offset      from the start of the region
    line        a line of the same listing begins at the address
    """

    address: int
    region: Region | None
    offset: int
    line: bool
    absolute: bool


@dataclass(frozen=True)
class Line:
    """An instruction.

    code    as a number, in hex digits, as objdump shows it
    words   (class, text), with the short class names of Pygments; "" for what has no colour
    gap     bytes that are not shown lie before it
    """

    address: int
    code: str
    words: tuple[tuple[str, str], ...]
    targets: tuple[Target, ...]
    gap: bool


@dataclass(frozen=True)
class Listing:
    """The code that runs from `entry`: its own `size` bytes, then the code that it reaches and that belongs to no export."""

    entry: int
    size: int
    lines: tuple[Line, ...]

    @property
    def outside(self) -> int:
        """Return how many addresses outside of the image and the data page it forms."""
        return sum(target.region is None for line in self.lines for target in line.targets)


@dataclass(frozen=True)
class Surroundings:
    """The places of functions: the load of a base or an image, the spans of its exports, its map.

    beside          addresses beside it that code may read (data_page.readable)
    """

    code: bytes
    exports: tuple[Span, ...]
    regions: tuple[Region, ...]
    beside: Sequence[range]
    arch: Arch


def listing(around: Surroundings, own: Span) -> Listing:
    """Return the code of the export whose bytes are `own`."""
    code, arch = around.code, around.arch
    function = analyse(code, own.start, arch)
    beyond = set(outside(function, len(code), around.beside))
    shown = merged([own, *without(function.covered, [own, *around.exports])])
    found = [line for span in shown for line in arch.text(code, span.start, span.end)]
    starts = {address for address, _, _ in found}
    targets: dict[int, list[Target]] = {}
    for address in function.formed:
        region = None if address in beyond else at(around.regions, address.target)
        offset = address.target - region.start if region else 0
        line = address.kind == "jump" and address.target in starts
        targets.setdefault(address.pc, []).append(Target(address.target, region, offset, line, address.absolute))
    words = _coloured([text for _, _, text in found])
    lines = []
    end = own.start
    for (start, length, _), coloured in zip(found, words, strict=True):
        number = int.from_bytes(code[start : start + length], "little")
        lines.append(Line(start, f"{number:0{2 * length}x}", coloured, tuple(targets.get(start, ())), start != end))
        end = start + length
    return Listing(own.start, own.size, tuple(lines))


def _coloured(texts: Sequence[str]) -> list[tuple[tuple[str, str], ...]]:
    """Return the words of each text with their classes. Pygments' lexer for NASM suits what capstone writes well enough."""
    from pygments.lexers.asm import NasmLexer
    from pygments.token import STANDARD_TYPES

    classes = {"nf": "nf", "nv": "nv", "nb": "nv", "mh": "m", "mi": "m"}
    coloured = []
    for text in texts:
        tokens = NasmLexer(ensurenl=False, stripnl=False).get_tokens(text)
        coloured.append(tuple((classes.get(STANDARD_TYPES[kind], ""), word) for kind, word in tokens if word))
    return coloured
