# SPDX-License-Identifier: MIT
"""The record that placement hands to link and splice: what lies where in the image. As a file, JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from .policy import Decision


@dataclass(frozen=True)
class Placed:
    """A unit of code at its final address. `sections` in the order in which they are linked; `how`: the kind of room."""

    object: str
    source: str
    sections: tuple[str, ...]
    address: int
    size: int
    functions: dict[str, tuple[int, int]]
    how: str

    @property
    def places(self) -> list[tuple[int, int]]:
        """(offset, size) of each function, once where it has two names."""
        return sorted(set(self.functions.values()))


@dataclass(frozen=True)
class Area:
    """Room [start, end) of the image for the table `name`."""

    name: str
    start: int
    size: int

    @property
    def end(self) -> int:
        return self.start + self.size


@dataclass(frozen=True)
class Plan:
    """size: of the image in bytes; text: [start, end) of its code, kept functions and stubs."""

    size: int
    data_offset: int
    text: tuple[int, int]
    decisions: tuple[Decision, ...]
    units: tuple[Placed, ...]
    areas: tuple[Area, ...]

    def area(self, name: str) -> Area:
        return next(area for area in self.areas if area.name == name)

    def function(self, stub: str) -> tuple[int, int, str]:
        """Address, size and kind of room of a stub."""
        unit = next(unit for unit in self.units if stub in unit.functions)
        offset, size = unit.functions[stub]
        return unit.address + offset, size, unit.how

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"


def from_json(text: str) -> Plan:
    facts = json.loads(text)
    return Plan(
        size=facts["size"],
        data_offset=facts["data_offset"],
        text=tuple(facts["text"]),
        decisions=tuple(Decision(**d) for d in facts["decisions"]),
        units=tuple(
            Placed(
                **{
                    **u,
                    "sections": tuple(u["sections"]),
                    "functions": {name: (offset, size) for name, (offset, size) in u["functions"].items()},
                }
            )
            for u in facts["units"]
        ),
        areas=tuple(Area(**a) for a in facts["areas"]),
    )
