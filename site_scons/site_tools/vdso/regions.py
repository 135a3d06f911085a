# SPDX-License-Identifier: MIT
"""What every byte of a base, and of an image made from it, is there for: regions that tile the map from end to end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from . import tables
from .analysis import analyse
from .arch import ADD, HIDE, KEEP, REPLACE, SYSCALL
from .blob import Export
from .elf import PAGE, PHDR, pages
from .image import Image
from .place import kept_ranges
from .plan import Plan
from .room import Range, merged, without

HEADERS, TABLE, CODE, TRAP, REST, DATA = "headers", "table", "code", "trap", "rest", "data"

KINDS: Mapping[str, str] = {
    HEADERS: "ELF header and program headers",
    TABLE: "table: symbols, strings, hashes, notes, unwind information, sections",
    KEEP: "kept: bytes of Linux that stay",
    REPLACE: "replaced: code of our own in its place",
    SYSCALL: "made a plain system call",
    HIDE: "hidden: removed",
    ADD: "added: a function that the base does not have",
    CODE: "code and constants without an export",
    TRAP: "trapping bytes: executed, they raise an illegal instruction",
    REST: "not used: padding and what nothing reaches",
    DATA: "data page: the kernel writes it, user space reads it",
}
"""What a region can be, in words; the order is that of the legend."""


@dataclass(frozen=True)
class Region:
    """Bytes [start, end), of one of KINDS. Addresses are those of the ELF; those of a data page before it are negative."""

    start: int
    end: int
    kind: str
    name: str

    @property
    def size(self) -> int:
        return self.end - self.start


def of_base(base: Image, policies: Mapping[str, str]) -> tuple[Region, ...]:
    """All pages of the base, each function by what becomes of it. `policies`: export to policy."""
    slots = [(s.value, s.size, policies[name], name) for name, s in base.exports.items()]
    reached = merged(r for s in base.exports.values() for r in analyse(base.data, s.value, base.arch).covered)
    load = len(base.data)
    return _tiled(
        [
            _headers(base),
            *_functions(slots),
            *(Region(at, at + size, TABLE, name) for name, (at, size) in base.tables.items()),
            *(Region(low, high, CODE, "local code") for low, high in reached),
            Region(0, load, REST, "not reached"),
            Region(load, pages(load) * PAGE, REST, "behind the load"),
        ]
    )


def of_image(base: Image, plan: Plan, exports: Sequence[Export]) -> tuple[Region, ...]:
    """All pages of an image that was made from `base` by `plan`; its data page is not among them."""
    functions = [(e.address, e.size, e.policy, e.name) for e in exports if e.address is not None and e.size is not None]
    kept = [(name, base.tables[name]) for name in tables.KEPT]
    return _tiled(
        [
            _headers(base),
            *_functions(functions),
            *(Region(unit.address, unit.address + unit.size, CODE, f"rest of {unit.source}") for unit in plan.units),
            *(Region(at, at + size, TABLE, name) for name, (at, size) in kept),
            *(Region(area.start, area.end, TABLE, _AREAS.get(area.name, area.name)) for area in plan.areas),
            *(Region(low, high, KEEP, "what kept functions run and read") for low, high in kept_ranges(base, plan.decisions)),
            Region(*plan.text, TRAP, "trapping bytes"),
            Region(0, plan.size, REST, "zeros"),
        ]
    )


_AREAS = {tables.UNWIND: ".eh_frame_hdr, .eh_frame"}


def _headers(base: Image) -> Region:
    return Region(0, base.ehdr.phoff + base.ehdr.phnum * PHDR.size, HEADERS, "ELF header, program headers")


def _functions(functions: Iterable[tuple[int, int, str, str]]) -> list[Region]:
    """(address, size, policy, export) as regions; those of one place are one region with all their names."""
    names: dict[tuple[int, int, str], list[str]] = {}
    for address, size, policy, name in functions:
        names.setdefault((address, size, policy), []).append(name)
    return [Region(at, at + size, policy, ", ".join(names)) for (at, size, policy), names in names.items()]


def _tiled(regions: Iterable[Region]) -> tuple[Region, ...]:
    """In the order of their addresses, disjoint: where regions overlap, the first one given has the bytes."""
    taken: list[Range] = []
    tiles = []
    for region in regions:
        tiles += [replace(region, start=low, end=high) for low, high in without([(region.start, region.end)], taken)]
        taken = merged([*taken, (region.start, region.end)])
    return tuple(sorted(tiles, key=lambda region: region.start))


def at(regions: Iterable[Region], address: int) -> Region | None:
    """The region that has the byte at `address`."""
    return next((region for region in regions if region.start <= address < region.end), None)
