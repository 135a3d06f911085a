# SPDX-License-Identifier: MIT
"""The page about a blob, `report.html`: one record of all that it shows, and the page made from it."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

from . import drawing, regions
from .analysis import analyse, outside
from .arch import ADD, REPLACE, SYSCALL
from .blob import Blob, Export
from .drawing import Page
from .elf import PAGE
from .image import Image
from .info import Row, rows
from .listing import Ground, Listing, listing
from .plan import Plan
from .regions import Region
from .templating import render


@dataclass(frozen=True)
class Map:
    """`key` tells the ids of one map from those of another."""

    key: str
    name: str
    pages: tuple[Page, ...]
    regions: tuple[Region, ...]

    def at(self, address: int) -> Region | None:
        return regions.at(self.regions, address)


@dataclass(frozen=True)
class Replaced:
    """An export whose code is ours, and the code before and after."""

    export: Export
    before: Listing
    after: Listing


@dataclass(frozen=True)
class Report:
    """All that the page shows.

    rows        what `info` tells of each export of the base, in the order of blob.exports
    changes     (what, ranges, bytes), in the order of their first address
    outside_before, outside_after     addresses that exports form outside of what is mapped
    """

    blob: Blob
    maps: tuple[Map, Map]
    rows: tuple[Row, ...]
    replaced: tuple[Replaced, ...]
    changes: tuple[tuple[str, int, int], ...]
    outside_before: int
    outside_after: int

    @property
    def kinds(self) -> list[str]:
        """Those that the maps have, in the order of the legend."""
        present = {region.kind for map in self.maps for region in map.regions}
        return [kind for kind in regions.KINDS if kind in present]


def report(base: Image, blob: Blob, plan: Plan) -> Report:
    """From a base, what was made of it, and the plan by which that was."""
    policies = {export.name: export.policy for export in blob.exports if export.policy != ADD}
    before = regions.of_base(base, policies)
    after = regions.of_image(base, plan, blob.exports)
    if blob.data_page != "none":
        page = Region(blob.data_offset, blob.data_offset + PAGE, regions.DATA, "data page")
        after = tuple(sorted((*after, page), key=lambda region: region.start))
    data = blob.data_offset if blob.data_page != "none" else None
    slots = tuple((s.value, s.value + s.size) for s in base.exports.values())
    places = tuple((e.address, e.address + e.size) for e in blob.exports if e.address is not None and e.size is not None)
    old = Ground(base.data, slots, before, None, base.arch)
    new = Ground(blob.image, places, after, data, base.arch)
    replaced = tuple(
        Replaced(e, listing(old, base.exports[e.name].value, base.exports[e.name].size), listing(new, e.address, e.size))
        for e in blob.exports
        if e.policy in (REPLACE, SYSCALL) and e.address is not None and e.size is not None
    )
    told = tuple(rows(base, policies))
    visible = [analyse(blob.image, start, base.arch) for start, _ in places]
    return Report(
        blob=blob,
        maps=(_map("base", "The base", before), _map("image", "The image", after)),
        rows=told,
        replaced=replaced,
        changes=_changes(blob),
        outside_before=sum(len(row.outside) for row in told),
        outside_after=sum(len(outside(function, len(blob.image), data)) for function in visible),
    )


def _map(key: str, name: str, found: tuple[Region, ...]) -> Map:
    return Map(key, name, drawing.drawn(found), found)


def _changes(blob: Blob) -> tuple[tuple[str, int, int], ...]:
    sums: dict[str, list[int]] = {}
    for change in blob.changes:
        sums.setdefault(change.what, []).append(change.end - change.start)
    return tuple((what, len(sizes), sum(sizes)) for what, sizes in sums.items())


def page(made: Report, templates: Path) -> bytes:
    """The HTML. Its policy allows this very style sheet and nothing else: no script, no network."""
    css = (templates / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    values = {"report": made, "blob": made.blob, "css": css, "css_sha256": digest, "kinds": regions.KINDS, "drawing": drawing}
    return render(templates, "report.html.j2", **values).encode()
