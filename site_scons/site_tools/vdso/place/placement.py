# SPDX-License-Identifier: MIT
"""Gives every stub an address, and room to the tables that are made anew.

A stub that fits its slot stays where the function was. Otherwise it goes to the slot of another function, to code that
nothing reaches any more, to the tail of the last page, or at last to a new page. Tables stay where they were if they fit.
They never lie between functions, so that one `.text` covers all code and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..data_page import DataPage
from ..elf import our_note, unwind
from ..elf.elf64 import PAGE
from ..errors import VdsoError
from ..image.model import Vdso
from ..policy.decide import Decision
from ..ranges import Room, Span, align_up, merged, without
from ..tables import fresh, kinds, program_headers, section_table
from .kept import kept_fdes, kept_spans
from .plan import Area, Placed, Plan
from .units import Unit

MOST = 0x10000
"""Bytes of an image: at least one page of every size that there is."""
SLOT, FREED, DEAD, GAP, TAIL, NEW = "slot", "freed slot", "dead code", "gap", "tail", "new page"


@dataclass(frozen=True)
class _Survey:
    """The room in a base.

    kept        bytes of kept functions
    untouchable headers and tables that stay in their place
    allowed     the span that code may lie in
    page_size   an image is whole pages of this size
    """

    base: Vdso
    decisions: tuple[Decision, ...]
    kept: tuple[Span, ...]
    untouchable: tuple[Span, ...]
    allowed: Span
    page_size: int

    def slot(self, stub: str) -> Span:
        """Return the bytes of the function that `stub` replaces; an empty span if it replaces none."""
        for decision in self.decisions:
            if decision.stub == stub and decision.export in self.base.exports:
                return self.base.exports[decision.export].span
        return Span(0, 0)


def place(
    base: Vdso,
    decisions: tuple[Decision, ...],
    units: Sequence[Unit],
    data_page: DataPage,
    counter: int | None = None,
    page_size: int = PAGE,
) -> Plan:
    """Return a plan with the fewest pages in which all of it fits.

    counter     the offset of the counter in its page; None where an instruction reads the counter

    page_size   of the kernel

    VdsoError where it does not fit into MOST bytes.
    """
    survey = _survey(base, decisions, page_size)
    for size in range(page_size, MOST + 1, page_size):
        offsets = data_page.offset(size, page_size), data_page.counter_offset(size, page_size, counter)
        plan = _try(survey, units, size, *offsets)
        if plan is not None:
            return plan
    largest = max(units, key=lambda unit: unit.size)
    raise VdsoError(
        f"{largest.source}: {', '.join(largest.functions) or 'constants'}",
        f"{largest.size:#x} bytes of code, {sum(u.size for u in units):#x} with all other stubs, do not fit "
        f"(limit: an image of {MOST:#x} bytes)",
        "make it smaller",
    )


def _survey(base: Vdso, decisions: tuple[Decision, ...], page_size: int) -> _Survey:
    untouchable = (program_headers.span(bool(base.fdes)), *(base.tables[name] for name in kinds.KEPT))
    start = min(span.start for span in (*base.reached, *(s.span for s in base.exports.values())))
    stop = min((span.start for span in untouchable if span.start >= start), default=MOST)
    return _Survey(base, decisions, kept_spans(base, decisions), untouchable, Span.between(start, stop), page_size)


def _try(survey: _Survey, units: Sequence[Unit], size: int, data_offset: int, counter_offset: int) -> Plan | None:
    """Return the plan of an image of `size` bytes; None where not all fits."""
    loaded = section_table.behind(size, bool(survey.base.fdes)).names.start
    if loaded < max(span.end for span in (*survey.untouchable, *survey.kept)):
        return None
    placed = _code(survey, units, loaded)
    if placed is None:
        return None
    code = merged([*survey.kept, *(unit.span for unit in placed)])
    text = Span.between(code[0].start, code[-1].end)
    areas = _tables(survey, placed, text, loaded, our_note.name(data_offset, counter_offset))
    if areas is None:
        return None
    return Plan(
        size=size,
        loaded=loaded,
        page_size=survey.page_size,
        data_offset=data_offset,
        counter_offset=counter_offset,
        text=text,
        kept=survey.kept,
        decisions=survey.decisions,
        units=tuple(placed),
        areas=areas,
    )


def _code(survey: _Survey, units: Sequence[Unit], loaded: int) -> list[Placed] | None:
    allowed = Span.between(survey.allowed.start, min(survey.allowed.end, loaded))
    room = Room(without([allowed], [*survey.kept, *survey.untouchable, *_before_sigreturn(survey.base)]))
    addresses: dict[Unit, int] = {}
    for unit in units:
        for stub, function in unit.functions.items():
            slot = survey.slot(stub)
            start = slot.start - function.start
            if unit in addresses or start % unit.align or not slot.covers(Span(start, unit.size)):
                continue
            if start + unit.size > loaded:
                return None  # an image may have fewer pages than the base, but no stub leaves its slot for that
            if room.take_at(start, unit.size):
                addresses[unit] = start
    for unit in sorted((u for u in units if u not in addresses), key=lambda u: -u.size):
        address = _elsewhere(survey, room, unit, loaded)
        if address is None:
            return None
        addresses[unit] = address
    return [
        Placed(
            object=unit.object,
            source=unit.source,
            users=unit.users,
            sections=tuple(section.name for section in unit.sections),
            address=addresses[unit],
            size=unit.size,
            functions=unit.functions,
            room_kind=_room_kind(survey, unit, addresses[unit]),
        )
        for unit in units
    ]


def _before_sigreturn(base: Vdso) -> list[Span]:
    """Return the byte before rt_sigreturn. Unwinders look up the address before it (libgcc): no function may end there."""
    name = base.arch.export("rt_sigreturn")
    return [Span(base.exports[name].value - 1, 1)] if name in base.exports else []


def _elsewhere(survey: _Survey, room: Room, unit: Unit, loaded: int) -> int | None:
    """Take room inside the base's load first: the tail is left for tables, and no page is begun for code that fits."""
    for limit in (len(survey.base.data), loaded):
        inside = Room(without(room.spans, [Span.between(limit, loaded)]))
        address = inside.take(unit.size, unit.align)
        if address is not None:
            room.take_at(address, unit.size)
            return address
    return None


def _room_kind(survey: _Survey, unit: Unit, address: int) -> str:
    """Return the kind of room that most of the unit's bytes lie in."""
    base = survey.base
    load_end, page_end = len(base.data), align_up(len(base.data), survey.page_size)
    rooms: tuple[tuple[str, Sequence[Span]], ...] = (
        (SLOT, [survey.slot(stub) for stub in unit.functions]),
        (FREED, [s.span for s in base.exports.values()]),
        (DEAD, base.reached),
        (GAP, [Span(0, load_end)]),
        (TAIL, [Span.between(load_end, page_end)]),
        (NEW, [Span.between(page_end, MOST)]),
    )
    left = [Span(address, unit.size)]
    counts: dict[str, int] = {}
    for kind, spans in rooms:
        rest = without(left, spans)
        counts[kind] = _bytes(left) - _bytes(rest)
        left = rest
    return max(counts, key=lambda kind: counts[kind])


def _bytes(spans: Sequence[Span]) -> int:
    return sum(span.size for span in spans)


def _tables(survey: _Survey, placed: Sequence[Placed], text: Span, loaded: int, ours: bytes) -> tuple[Area, ...] | None:
    base = survey.base
    code = fresh.Code({}, _reserved_fdes(survey, placed))
    tables = fresh.make_tables(base, survey.decisions, code, {}, ours)
    needs = {name: len(data) for name, data in tables.items()}
    room = Room(without([Span(0, loaded)], [*survey.untouchable, *survey.kept, text]))
    old = {name: base.tables[name] for name in needs if name in base.tables}
    if kinds.UNWIND in old:
        start = old[kinds.UNWIND].start
        old[kinds.UNWIND] = Span.between(start, max(base.tables[".eh_frame"].end, start))
    addresses = {
        name: was.start for name, was in old.items() if needs[name] <= was.size and room.take_at(was.start, needs[name])
    }
    for name in sorted(needs.keys() - addresses.keys(), key=lambda name: (-needs[name], name)):
        if name in old and room.take_at(old[name].start, needs[name]):
            addresses[name] = old[name].start
            continue
        address = room.take(needs[name], kinds.ALIGN[name])
        if address is None:
            return None
        addresses[name] = address
    return tuple(Area(name, Span(addresses[name], needs[name])) for name in sorted(needs, key=lambda name: addresses[name]))


def _reserved_fdes(survey: _Survey, placed: Sequence[Placed]) -> list[unwind.Fde]:
    """Return one FDE a function: the splice leaves out those that its code does not allow."""
    if not survey.base.fdes:
        return []
    cie = survey.base.arch.leaf_cie
    leaves = [unwind.leaf(function, cie) for unit in placed for function in unit.places]
    return kept_fdes(survey.base, survey.kept) + leaves
