# SPDX-License-Identifier: MIT
"""The plan of an image, which placement makes for link and splice: what lies where. As a file, it is JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..policy.decide import Decision
from ..ranges import Span


@dataclass(frozen=True)
class Placed:
    """A unit of code at its final address.

    users       the user wrote it, not we
    sections    in the order in which they are linked
    functions   name to place, from the unit's start
    room_kind   the kind of room that most of its bytes lie in: see `placement`
    """

    object: str
    source: str
    users: bool
    sections: tuple[str, ...]
    address: int
    size: int
    functions: dict[str, Span]
    room_kind: str

    @property
    def span(self) -> Span:
        return Span(self.address, self.size)

    @property
    def places(self) -> list[Span]:
        """Return where its functions lie in the image; a function with two names counts once."""
        return sorted({Span(self.address + function.start, function.size) for function in self.functions.values()})


@dataclass(frozen=True)
class Area:
    """Room of the image for the table `name`."""

    name: str
    span: Span


@dataclass(frozen=True)
class Plan:
    """All that is decided about an image before its code is linked.

    size        of the image in bytes
    loaded      of them, those of its load; behind it lie the section table and its names
    page_size   of the kernel: the image is whole pages of this size
    data_offset, counter_offset     of the data page, and of a counter that is a word of a page; 0: there is none
    text        its code: kept functions and stubs
    kept        the code that kept functions run, and the data in the image that they may read
    """

    size: int
    loaded: int
    page_size: int
    data_offset: int
    counter_offset: int
    text: Span
    kept: tuple[Span, ...]
    decisions: tuple[Decision, ...]
    units: tuple[Placed, ...]
    areas: tuple[Area, ...]

    def area(self, name: str) -> Span:
        """Return the room of a table."""
        return next(area.span for area in self.areas if area.name == name)

    def unit(self, stub: str) -> Placed:
        """Return the unit that holds the function `stub`."""
        return next(unit for unit in self.units if stub in unit.functions)

    def function(self, stub: str) -> Span:
        """Return where the code of `stub` lies in the image."""
        unit = self.unit(stub)
        return Span(unit.address + unit.functions[stub].start, unit.functions[stub].size)

    def to_json(self) -> str:
        """Return the text that `plan_from_json` reads."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"


def plan_from_json(text: str) -> Plan:
    """Return the plan whose `to_json` is `text`."""
    facts = json.loads(text)
    return Plan(
        size=facts["size"],
        loaded=facts["loaded"],
        page_size=facts["page_size"],
        data_offset=facts["data_offset"],
        counter_offset=facts["counter_offset"],
        text=Span(**facts["text"]),
        kept=tuple(Span(**span) for span in facts["kept"]),
        decisions=tuple(Decision(**decision) for decision in facts["decisions"]),
        units=tuple(_placed(unit) for unit in facts["units"]),
        areas=tuple(Area(area["name"], Span(**area["span"])) for area in facts["areas"]),
    )


def _placed(facts: Mapping[str, Any]) -> Placed:
    functions = {name: Span(**place) for name, place in facts["functions"].items()}
    return Placed(**{**facts, "sections": tuple(facts["sections"]), "functions": functions})
