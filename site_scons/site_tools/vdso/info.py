# SPDX-License-Identifier: MIT
"""What `scons info` tells of a base: map, headers, exports, and what its code would read outside of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import elf
from .analysis import analyse, outside
from .elf import pages
from .image import Image
from .policy import PREFIX, unsafe

_SEGMENTS = {
    elf.PT_LOAD: "LOAD",
    elf.PT_DYNAMIC: "DYNAMIC",
    elf.PT_NOTE: "NOTE",
    elf.PT_GNU_EH_FRAME: "GNU_EH_FRAME",
}
_TAGS = {value: name for name, value in vars(elf).items() if name.startswith("DT_")}


@dataclass(frozen=True)
class Row:
    """One function. `outside`: (address of the instruction, address formed), in the order of the code."""

    name: str
    version: int
    address: int
    size: int
    policy: str
    outside: tuple[tuple[int, int], ...]
    unsafe: str


def describe(base: Image) -> dict[str, Any]:
    """The values of the template info.txt.j2."""
    known = {**{name: place for name, place in base.tables.items()}}
    known |= {name: (s.value, s.size) for name, s in base.exports.items()}
    places = sorted((at, at + size, name) for name, (at, size) in known.items())
    return {
        "title": base.name,
        "arch": base.arch.name,
        "linux": base.linux,
        "build_id": base.build_id,
        "size": len(base.file),
        "load": len(base.data),
        "pages": pages(len(base.data)),
        "segments": [(_SEGMENTS.get(p.type, f"{p.type:#x}"), p) for p in base.phdrs],
        "dynamic": [(_TAGS.get(tag, f"{tag:#x}"), value) for tag, value in base.dynamic if tag != elf.DT_NULL],
        "spare": sum(tag == elf.DT_NULL for tag, _ in base.dynamic) - 1,
        "places": places,
        "undefined": [s.name for s in base.symbols if s.shndx == elf.SHN_UNDEF and s.name],
        "rows": [_row(base, name) for name in base.exports],
    }


def _row(base: Image, name: str) -> Row:
    symbol = base.exports[name]
    function = analyse(base.data, symbol.value, base.arch)
    formed = tuple((f.pc, f.target) for f in outside(function, len(base.data), None))
    policy = base.arch.policy.get(name.removeprefix(PREFIX), "keep if safe, else hide")
    return Row(name, symbol.version, symbol.value, symbol.size, policy, formed, unsafe(base, name))
