# SPDX-License-Identifier: MIT
"""The code of a function for people: instructions in coloured words, and where the addresses lie that they form."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .analysis import Formed, analyse
from .arch import Arch
from .regions import DATA, Region, at
from .room import Range, merged, without


@dataclass(frozen=True)
class Target:
    """An address that an instruction forms.

    region      that it lies in; None: outside of the map
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
        """How many addresses outside of the map it forms."""
        return sum(target.region is None for line in self.lines for target in line.targets)


def listing(code: bytes, entry: int, size: int, others: Iterable[Range], regions: Sequence[Region], arch: Arch) -> Listing:
    """`code` is the load or the image, `others` the places of other exports, `regions` the map with its data page."""
    function = analyse(code, entry, arch)
    decoder = importlib.import_module(f".{arch.decoder}", __package__)
    own = (entry, entry + size)
    ranges = merged([own, *without(function.covered, [own, *others])])
    found = [(address, length, text) for low, high in ranges for address, length, text in decoder.text(code, low, high)]
    starts = {address for address, _, _ in found}
    formed: dict[int, list[Target]] = {}
    for one in function.formed:
        formed.setdefault(one.pc, []).append(_target(one, regions, starts))
    words = _coloured([text for _, _, text in found])
    lines = []
    end = entry
    for (address, length, _), coloured in zip(found, words, strict=True):
        number = int.from_bytes(code[address : address + length], "little")
        lines.append(Line(address, f"{number:0{2 * length}x}", coloured, tuple(formed.get(address, ())), address != end))
        end = address + length
    return Listing(entry, size, tuple(lines))


def _target(formed: Formed, regions: Sequence[Region], starts: set[int]) -> Target:
    region = None if formed.absolute else at(regions, formed.target)
    if region is not None and region.kind == DATA and formed.kind == "jump":
        region = None
    offset = formed.target - region.start if region else 0
    return Target(formed.target, region, offset, formed.kind == "jump" and formed.target in starts, formed.absolute)


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
