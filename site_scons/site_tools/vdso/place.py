# SPDX-License-Identifier: MIT
"""Placement: an address for every stub, and room for the tables that are made anew.

A stub that fits its slot stays where the function was. Else it goes to what other functions left, to code that nothing
reaches any more, to the tail of the last page, and at last to a new page. Tables stay where they were if they fit, and
never lie between functions: so one `.text` covers all code and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import sections, tables, unwind
from .analysis import analyse
from .arch import KEEP
from .elf import PAGE, PHDR, pages
from .errors import VdsoError
from .image import Image
from .objects import Unit
from .plan import Area, Placed, Plan
from .policy import PREFIX, Decision
from .room import Range, Room, merged, without

MAX_PAGES = 16
SLOT, FREED, DEAD, GAP, TAIL, NEW = "slot", "freed slot", "dead code", "gap", "tail", "new page"


@dataclass(frozen=True)
class _Ground:
    """What a base offers. held: bytes of kept functions; zone: where code may go; reached: code that its exports reach."""

    base: Image
    decisions: tuple[Decision, ...]
    held: list[Range]
    fixed: list[Range]
    zone: Range
    reached: list[Range]

    def slot(self, stub: str) -> Range:
        """The bytes of the function that `stub` replaces; an empty range if it replaces none."""
        for decision in self.decisions:
            if decision.stub == stub and decision.export in self.base.exports:
                symbol = self.base.exports[decision.export]
                return symbol.value, symbol.value + symbol.size
        return 0, 0


def place(base: Image, decisions: tuple[Decision, ...], units: Sequence[Unit], data_page: str) -> Plan:
    """A plan with the fewest pages in which all of it fits. `data_page`: after, before or none.

    VdsoError where it does not fit into 16 pages, or the base has no spare dynamic entry for a DT_HASH that it lacks.
    """
    ground = _survey(base, decisions)
    for count in range(1, MAX_PAGES + 1):
        size = count * PAGE
        offset = {"after": size, "before": -PAGE, "none": 0}[data_page]
        plan = _try(ground, units, size, offset)
        if plan is not None:
            return plan
    largest = max(units, key=lambda unit: unit.size)
    raise VdsoError(
        f"{largest.source}: {', '.join(largest.functions) or 'constants'}",
        f"{largest.size:#x} bytes of code, {sum(u.size for u in units):#x} with all other stubs, do not fit "
        f"(limit: an image of {MAX_PAGES * PAGE:#x} bytes)",
        "make it smaller",
    )


def kept_ranges(base: Image, decisions: Sequence[Decision]) -> list[Range]:
    """Bytes of all that a kept function can run, and of the data in the image that it may read."""
    held: list[Range] = []
    for decision in decisions:
        if decision.policy == KEEP:
            symbol = base.exports[decision.export]
            function = analyse(base.data, symbol.value, base.arch)
            held += [*function.covered, (symbol.value, symbol.value + symbol.size)]
            known = [*base.tables.values(), *((s.value, s.size) for s in base.exports.values())]
            between = without([(0, len(base.data))], [(at, at + size) for at, size in known])
            for formed in function.formed:
                held += [r for r in between if r[0] <= formed.target < r[1] and formed.kind != "jump"]
    return merged(held)


def _survey(base: Image, decisions: tuple[Decision, ...]) -> _Ground:
    reached = merged(r for s in base.exports.values() for r in analyse(base.data, s.value, base.arch).covered)
    slots = [(s.value, s.value + s.size) for s in base.exports.values()]
    headers = (0, base.ehdr.phoff + base.ehdr.phnum * PHDR.size)
    fixed = [headers, *((at, at + size) for at, size in (base.tables[name] for name in tables.KEPT))]
    start = min(low for low, _ in reached + slots)
    stop = min((low for low, _ in fixed if low >= start), default=MAX_PAGES * PAGE)
    return _Ground(base, decisions, kept_ranges(base, decisions), fixed, (start, stop), reached)


def _try(ground: _Ground, units: Sequence[Unit], size: int, data_offset: int) -> Plan | None:
    if size < max(high for _, high in [*ground.fixed, *ground.held]):
        return None
    placed = _code(ground, units, size)
    if placed is None:
        return None
    code = merged([*ground.held, *((unit.address, unit.address + unit.size) for unit in placed)])
    text = (code[0][0], code[-1][1])
    areas = _tables(ground, placed, text, size, data_offset)
    if areas is None:
        return None
    return Plan(size, data_offset, text, ground.decisions, tuple(placed), areas)


def _code(ground: _Ground, units: Sequence[Unit], size: int) -> list[Placed] | None:
    # an unwinder looks up the address before rt_sigreturn (libgcc): no function may end there
    before = [
        (symbol.value - 1, symbol.value) for name, symbol in ground.base.exports.items() if name == PREFIX + "rt_sigreturn"
    ]
    room = Room(without([(ground.zone[0], min(ground.zone[1], size))], [*ground.held, *ground.fixed, *before]))
    addresses: dict[Unit, int] = {}
    for unit in units:
        for stub, (offset, _) in unit.functions.items():
            low, high = ground.slot(stub)
            start = low - offset
            if unit in addresses or start % unit.align or start < low or start + unit.size > high:
                continue
            if high > size:
                return None  # fewer pages than the base has, but not at the price of leaving its slot
            if room.take_at(start, unit.size):
                addresses[unit] = start
    for unit in sorted((u for u in units if u not in addresses), key=lambda u: -u.size):
        address = _elsewhere(ground, room, unit, size)
        if address is None:
            return None
        addresses[unit] = address
    return [
        Placed(
            object=unit.object,
            source=unit.source,
            sections=tuple(section.name for section in unit.sections),
            address=addresses[unit],
            size=unit.size,
            functions=unit.functions,
            how=_how(ground, unit, addresses[unit]),
        )
        for unit in units
    ]


def _elsewhere(ground: _Ground, room: Room, unit: Unit, size: int) -> int | None:
    """Room inside the load first, so that the tail is left for tables, and no page is begun for code that fits."""
    for limit in (len(ground.base.data), size):
        inside = Room(without(room.ranges, [(limit, size)]))
        address = inside.take(unit.size, unit.align)
        if address is not None:
            room.take_at(address, unit.size)
            return address
    return None


def _how(ground: _Ground, unit: Unit, address: int) -> str:
    """The kind of room that most of the unit's bytes lie in."""
    base = ground.base
    own = [ground.slot(stub) for stub in unit.functions]
    slots = [(s.value, s.value + s.size) for s in base.exports.values()]
    old_end, page_end = len(base.data), pages(len(base.data)) * PAGE
    kinds = (
        (SLOT, own),
        (FREED, slots),
        (DEAD, ground.reached),
        (GAP, [(0, old_end)]),
        (TAIL, [(old_end, page_end)]),
        (NEW, [(page_end, MAX_PAGES * PAGE)]),
    )
    left: list[Range] = [(address, address + unit.size)]
    counts: dict[str, int] = {}
    for kind, ranges in kinds:
        rest = without(left, ranges)
        counts[kind] = _bytes(left) - _bytes(rest)
        left = rest
    return max(counts, key=lambda kind: counts[kind])


def _bytes(ranges: Sequence[Range]) -> int:
    return sum(high - low for low, high in ranges)


def kept_fdes(base: Image, held: Sequence[Range]) -> list[unwind.Fde]:
    """FDEs of the base that speak of functions that are still there."""
    return [fde for fde in base.fdes if any(low <= fde.start and fde.end <= high for low, high in held)]


def _tables(ground: _Ground, placed: Sequence[Placed], text: Range, size: int, data_offset: int) -> tuple[Area, ...] | None:
    base = ground.base
    code = tables.Code({}, _reserve(ground, placed))
    needs = {name: len(made) for name, made in tables.fresh(base, ground.decisions, code, {}, data_offset).items()}
    needs[tables.SECTIONS] = sections.table_size(bool(code.fdes))
    room = Room(without([(0, size)], [*ground.fixed, *ground.held, text]))
    old = {name: base.tables[name] for name in needs if name in base.tables}
    if tables.UNWIND in old:
        start, end = base.tables[".eh_frame"]
        old[tables.UNWIND] = (old[tables.UNWIND][0], max(start + end - old[tables.UNWIND][0], 0))
    addresses = {name: at for name, (at, was) in old.items() if needs[name] <= was and room.take_at(at, needs[name])}
    for name in sorted(needs.keys() - addresses.keys(), key=lambda name: (-needs[name], name)):
        if name in old and room.take_at(old[name][0], needs[name]):
            addresses[name] = old[name][0]
            continue
        address = room.take(needs[name], tables.ALIGN[name])
        if address is None:
            return None
        addresses[name] = address
    return tuple(Area(name, addresses[name], needs[name]) for name in sorted(needs, key=lambda name: addresses[name]))


def _reserve(ground: _Ground, placed: Sequence[Placed]) -> list[unwind.Fde]:
    """One FDE a function: the splice leaves out those that its code does not allow."""
    if not ground.base.fdes:
        return []
    leaves = [
        unwind.leaf(unit.address + offset, length, ground.base.arch.leaf_cie)
        for unit in placed
        for offset, length in unit.places
    ]
    return kept_fdes(ground.base, ground.held) + leaves
