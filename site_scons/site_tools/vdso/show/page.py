# SPDX-License-Identifier: MIT
"""Makes the page about an image, `report.html`: first one record of all that it shows, then the page."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from ..arch.arch import ADD, REPLACE, SYSCALL
from ..data_page import readable
from ..emit.blob import Blob, Image
from ..image.analysis import analyse, outside
from ..image.model import Vdso
from ..paths import TEMPLATES
from ..place.plan import Plan
from ..splice.changes import Export
from ..templating import render
from . import drawing, regions
from .drawing import Page
from .info import Row, rows
from .listing import Listing, Surroundings, listing
from .regions import Region

CLOCK_GETTIME = "clock_gettime"


@dataclass(frozen=True)
class Map:
    """The map of the base or of the image. `key`: begins the ids of its elements, so that they differ from the other map's."""

    key: str
    name: str
    pages: tuple[Page, ...]
    regions: tuple[Region, ...]

    def at(self, address: int) -> Region | None:
        """Return the region that has the byte at `address`; None where there is none."""
        return regions.at(self.regions, address)


@dataclass(frozen=True)
class Replaced:
    """An export whose code is ours, and the code before and after."""

    export: Export
    before: Listing
    after: Listing


@dataclass(frozen=True)
class Shown:
    """All that the page shows.

    prefix      of the names of exports, which the page leaves out
    rows        the row of `info` for each export of the base, in the order of the image's exports
    changes     (what, ranges, bytes), in the order of their first address
    outside_before, outside_after     how many addresses exports form outside of load or image and data page
    """

    blob: Blob
    prefix: str
    maps: tuple[Map, Map]
    rows: tuple[Row, ...]
    replaced: tuple[Replaced, ...]
    changes: tuple[tuple[str, int, int], ...]
    outside_before: int
    outside_after: int

    @property
    def instructions(self) -> tuple[int, int] | None:
        """Return how many instructions the code of clock_gettime has, before and after; None where it is none of ours."""
        found = (one for one in self.replaced if one.export.short == CLOCK_GETTIME)
        return next(((len(one.before.lines), len(one.after.lines)) for one in found), None)

    @property
    def kinds(self) -> list[str]:
        """Return the kinds of regions that the maps have, in the order of the legend."""
        present = {region.kind for map_ in self.maps for region in map_.regions}
        return [kind for kind in regions.KINDS if kind in present]


def shown(base: Vdso, blob: Blob, plan: Plan) -> Shown:
    """Gather all that the page shows, from a base, the blob that was made of it, and the plan of the image."""
    image, prefix = blob.image, base.arch.export_prefix
    policies = {export.name: export.policy for export in image.exports if export.policy != ADD}
    before = regions.of_base(base, policies)
    of_image = regions.of_image(base, plan, image.exports)
    after = tuple(sorted((*of_image, *regions.beside(image)), key=lambda region: region.start))
    beside = readable(image.data_offset, image.counter_offset)
    places = {export: export.span for export in image.exports if export.span is not None}
    old = Surroundings(base.data, tuple(s.span for s in base.exports.values()), before, (), base.arch)
    new = Surroundings(image.data, tuple(places.values()), after, beside, base.arch)
    replaced = tuple(
        Replaced(export, listing(old, base.exports[export.name].span), listing(new, span))
        for export, span in places.items()
        if export.policy in (REPLACE, SYSCALL)
    )
    base_rows = tuple(rows(base, policies))
    visible = [analyse(image.data, span.start, base.arch) for span in places.values()]
    return Shown(
        blob=blob,
        prefix=prefix,
        maps=(_map("base", "The base", before, prefix), _map("image", "The image", after, prefix)),
        rows=base_rows,
        replaced=replaced,
        changes=_changes(image),
        outside_before=sum(len(row.outside) for row in base_rows),
        outside_after=sum(len(outside(function, len(image.data), beside)) for function in visible),
    )


def _map(key: str, name: str, found: tuple[Region, ...], prefix: str) -> Map:
    return Map(key, name, drawing.drawn(found, prefix), found)


def _changes(image: Image) -> tuple[tuple[str, int, int], ...]:
    sums: dict[str, list[int]] = {}
    for change in image.changes:
        sums.setdefault(change.what, []).append(change.end - change.start)
    return tuple((what, len(sizes), sum(sizes)) for what, sizes in sums.items())


def html(report: Shown) -> bytes:
    """Return the page. Its content security policy allows only this style sheet: no script, no network."""
    css = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    values = {
        "report": report,
        "blob": report.blob,
        "css": css,
        "css_sha256": digest,
        "kinds": regions.KINDS,
        "drawing": drawing,
    }
    return render("report.html.j2", **values).encode()
