# SPDX-License-Identifier: MIT
"""Says what every byte of a base, and of an image made from it, is for: regions that tile the map from end to end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..arch.arch import ADD, HIDE, KEEP, REPLACE, SYSCALL
from ..data_page import mapped_beside
from ..elf.elf64 import PAGE, pages
from ..emit.blob import Image
from ..image.model import Vdso
from ..place.plan import Plan
from ..ranges import Span, merged, without
from ..splice.changes import Export
from ..tables import kinds, program_headers, section_table

HEADERS, TABLE, CODE, TRAP, REST = "headers", "table", "code", "trap", "rest"
DATA, COUNTER = "data", "counter"

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
    COUNTER: "page of the counter: a device, of which user space reads one word",
}
"""The kinds of regions, in words, in the order of the legend."""


@dataclass(frozen=True)
class Region:
    """Bytes of one of KINDS. Addresses are those of the ELF file; a page before the image has negative ones."""

    span: Span
    kind: str
    name: str

    @property
    def start(self) -> int:
        return self.span.start

    @property
    def end(self) -> int:
        return self.span.end

    @property
    def size(self) -> int:
        return self.span.size


def of_base(base: Vdso, policies: Mapping[str, str]) -> tuple[Region, ...]:
    """Return the regions of all pages of the base; a function's kind is what becomes of it. `policies`: export to policy."""
    slots = [(s.span, policies[name], name) for name, s in base.exports.items()]
    load = len(base.data)
    return _tiled(
        [
            _headers(base.headers),
            *_functions(slots),
            *(Region(span, TABLE, name) for name, span in base.tables.items()),
            *(Region(span, CODE, "local code") for span in base.reached),
            Region(Span(0, load), REST, "not reached"),
            Region(Span.between(load, pages(load) * PAGE), REST, "behind the load"),
        ]
    )


def of_image(base: Vdso, plan: Plan, exports: Sequence[Export]) -> tuple[Region, ...]:
    """Return the regions of all pages of an image that was made from `base` by `plan`, but for the pages beside it."""
    functions = [(e.span, e.policy, e.name) for e in exports if e.span is not None]
    behind = section_table.behind(plan.size, bool(base.fdes))
    return _tiled(
        [
            _headers(program_headers.span(bool(base.fdes))),
            *_functions(functions),
            *(Region(unit.span, CODE, f"rest of {unit.source}") for unit in plan.units),
            *(Region(base.tables[name], TABLE, name) for name in kinds.KEPT),
            *(Region(area.span, TABLE, _AREAS.get(area.name, area.name)) for area in plan.areas),
            *(Region(span, KEEP, "what kept functions run and read") for span in plan.kept),
            Region(behind.names, TABLE, kinds.STRINGS),
            Region(behind.table, TABLE, kinds.SECTIONS),
            Region(plan.text, TRAP, "trapping bytes"),
            Region(Span(0, plan.size), REST, "zeros"),
        ]
    )


def beside(image: Image) -> tuple[Region, ...]:
    """Return the pages that the kernel maps beside an image: the data page, and that of a counter which is a word of one."""
    data = (Region(span, DATA, "data page") for span in mapped_beside(image.data_offset, 0, image.page_size))
    counter = (Region(span, COUNTER, "page of the counter") for span in mapped_beside(0, image.counter_offset, image.page_size))
    return (*data, *counter)


_AREAS = {kinds.UNWIND: ".eh_frame_hdr, .eh_frame"}


def _headers(span: Span) -> Region:
    return Region(span, HEADERS, "ELF header, program headers")


def _functions(functions: Iterable[tuple[Span, str, str]]) -> list[Region]:
    """Return (place, policy, export) as regions; functions in one place are one region with all their names."""
    names: dict[tuple[Span, str], list[str]] = {}
    for span, policy, name in functions:
        names.setdefault((span, policy), []).append(name)
    return [Region(span, policy, ", ".join(called)) for (span, policy), called in names.items()]


def _tiled(regions: Iterable[Region]) -> tuple[Region, ...]:
    """Return the regions by address, disjoint: where some overlap, the first in `regions` has the bytes."""
    taken: list[Span] = []
    tiles = []
    for region in regions:
        tiles += [replace(region, span=span) for span in without([region.span], taken)]
        taken = merged([*taken, region.span])
    return tuple(sorted(tiles, key=lambda region: region.start))


def at(regions: Iterable[Region], address: int) -> Region | None:
    """Return the region that has the byte at `address`; None where there is none."""
    return next((region for region in regions if region.span.holds(address)), None)
