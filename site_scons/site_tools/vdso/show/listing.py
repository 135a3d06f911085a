# SPDX-License-Identifier: MIT
"""The code of a function for people: instructions in coloured words, and where the addresses lie that they form."""

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

    region      that it lies in; None: outside of load or image, and of the data page
    offset      from the start of the region
    line        a line of the same listing begins there
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
    """What runs from `entry`: its own `size` bytes, then what else it reaches that is no export's."""

    entry: int
    size: int
    lines: tuple[Line, ...]

    @property
    def outside(self) -> int:
        """How many addresses outside it forms."""
        return sum(target.region is None for line in self.lines for target in line.targets)


@dataclass(frozen=True)
class Surroundings:
    """Where functions lie: the load of a base or an image, the places of its exports, its map.

    data_offset     of the data page, which is a part of the map; None where there is none
    """

    code: bytes
    exports: tuple[Span, ...]
    regions: tuple[Region, ...]
    data_offset: int | None
    arch: Arch


def listing(around: Surroundings, own: Span) -> Listing:
    """Return the code of the export whose bytes are `own`."""
    code, arch = around.code, around.arch
    function = analyse(code, own.start, arch)
    beyond = set(outside(function, len(code), around.data_offset))
    shown = merged([own, *without(function.covered, [own, *around.exports])])
    found = [line for span in shown for line in arch.text(code, span.start, span.end)]
    starts = {address for address, _, _ in found}
    formed: dict[int, list[Target]] = {}
    for one in function.formed:
        region = None if one in beyond else at(around.regions, one.target)
        offset = one.target - region.start if region else 0
        target = Target(one.target, region, offset, one.kind == "jump" and one.target in starts, one.absolute)
        formed.setdefault(one.pc, []).append(target)
    words = _coloured([text for _, _, text in found])
    lines = []
    end = own.start
    for (address, length, _), coloured in zip(found, words, strict=True):
        number = int.from_bytes(code[address : address + length], "little")
        lines.append(Line(address, f"{number:0{2 * length}x}", coloured, tuple(formed.get(address, ())), address != end))
        end = address + length
    return Listing(own.start, own.size, tuple(lines))


def _coloured(texts: Sequence[str]) -> list[tuple[tuple[str, str], ...]]:
    """Pygments has no lexer for what capstone writes, but that for NASM's finds mnemonics, registers and numbers in it."""
    from pygments.lexers.asm import NasmLexer
    from pygments.token import STANDARD_TYPES

    shown = {"nf": "nf", "nv": "nv", "nb": "nv", "mh": "m", "mi": "m"}
    made = []
    for text in texts:
        tokens = NasmLexer(ensurenl=False, stripnl=False).get_tokens(text)
        made.append(tuple((shown.get(STANDARD_TYPES[kind], ""), word) for kind, word in tokens if word))
    return made
