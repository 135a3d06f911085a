# SPDX-License-Identifier: MIT
"""Placement by itself: units of any size and alignment on made bases, with no compiler and no linker in between."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

import pytest
from elf_builder import FUNCTIONS, PREFIX, Spec, sigreturn, system_call
from elf_builder import build as build_base
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from spliced import plain_code, with_functions
from vdso.arch.riscv64.facts import RISCV64
from vdso.data_page import DataPage
from vdso.elf.elf64 import PAGE
from vdso.errors import VdsoError
from vdso.image.model import Vdso
from vdso.image.reader import read_vdso
from vdso.place.placement import place
from vdso.place.plan import Plan
from vdso.place.units import Unit
from vdso.policy.decide import Decision
from vdso.ranges import Span
from vdso.stubs.objects import Section
from vdso.tables import kinds

CLOCK, DAY, GETRES = (PREFIX + name for name in ("clock_gettime", "gettimeofday", "clock_getres"))
CPU, CACHE, SIGRETURN = (PREFIX + name for name in ("getcpu", "flush_icache", "rt_sigreturn"))
HWPROBE = PREFIX + "riscv_hwprobe"


def read(spec: Spec) -> Vdso:
    return read_vdso("base.so", build_base(spec), RISCV64)


def unit(*functions: str, size: int, align: int = 2, source: str = "a.c") -> Unit:
    """Return a unit of one section of code. All of its functions are as long as the unit."""
    section = Section(f".text.{functions[0]}", size, align, executable=True)
    return Unit("a.o", source, False, (section,), {name: Span(0, size) for name in functions})


def decisions(base: Vdso, hidden: tuple[str, ...] = (), kept: tuple[str, ...] = (SIGRETURN,)) -> tuple[Decision, ...]:
    """Replace all that is neither hidden nor kept."""
    return tuple(
        Decision(
            name, "hide" if name in hidden else "keep" if name in kept else "replace", "" if name in hidden + kept else name
        )
        for name in base.exports
    )


def planned(base: Vdso, *units: Unit, kept: tuple[str, ...] = (SIGRETURN,), page: DataPage = DataPage.AFTER) -> Plan:
    """Place these units; what is neither in them nor kept is hidden."""
    stubs = {name for unit in units for name in unit.functions}
    hidden = tuple(name for name in base.exports if name not in stubs and name not in kept)
    return place(base, decisions(base, hidden, kept), units, page)


def room_kinds(plan: Plan) -> dict[str, str]:
    return {name: placed.room_kind for placed in plan.units for name in placed.functions}


def fixed(base: Vdso) -> list[Span]:
    return [base.headers, *(base.tables[name] for name in kinds.KEPT)]


def refuse_overlaps(base: Vdso, plan: Plan) -> None:
    """Check that each part has bytes of its own, within the image, and that code lies together."""
    code = [*plan.kept, *(placed.span for placed in plan.units)]
    tables = [*fixed(base), *(area.span for area in plan.areas)]
    for one, other in itertools.combinations([*code, *tables], 2):
        assert not one.overlaps(other), (one, other)
    for span in (*code, *tables):
        assert Span(0, plan.size).covers(span)
    start, end = min(span.start for span in code), max(span.end for span in code)
    assert plan.text == Span.between(start, end)
    assert not [span for span in tables if span.overlaps(plan.text)]


def test_a_stub_that_fits_its_slot_stays_there() -> None:
    base = read(Spec())
    slot = base.exports[CLOCK].span
    for size in (2, slot.size):
        plan = planned(base, unit(CLOCK, size=size))
        assert plan.function(CLOCK) == Span(slot.start, size)
        assert room_kinds(plan) == {CLOCK: "slot"}
    assert planned(base, unit(CLOCK, size=slot.size + 2)).function(CLOCK).start != slot.start


def test_a_stub_that_can_not_be_aligned_in_its_slot_goes_elsewhere() -> None:
    base = read(Spec())
    slot = base.exports[DAY].span
    assert slot.start % 16
    plan = planned(base, unit(DAY, size=32, align=16))
    assert plan.function(DAY).start != slot.start
    assert plan.function(DAY).start % 16 == 0


LARGE, SMALL = PREFIX + "large", PREFIX + "small"
APART = Spec(
    functions=(
        sigreturn(),
        plain_code(LARGE, 400),
        system_call(CPU, 168),
        plain_code(SMALL, 100),
        system_call(CACHE, 259),
        plain_code(CLOCK, 20),
    )
)
"""Two slots with kept functions around them."""
KEPT = (SIGRETURN, CPU, CACHE)


@pytest.mark.parametrize(("size", "slot"), [(80, SMALL), (100, SMALL), (104, LARGE), (400, LARGE)])
def test_of_freed_slots_the_smallest_that_fits_is_taken(size: int, slot: str) -> None:
    base = read(APART)
    plan = planned(base, unit(CLOCK, size=size), kept=KEPT)
    assert plan.function(CLOCK) == Span(base.exports[slot].value, size)
    assert room_kinds(plan) == {CLOCK: "freed slot"}


def test_what_is_larger_chooses_first() -> None:
    base = read(APART)
    new = Decision(PREFIX + "new", "add", PREFIX + "new")
    units = (unit(CLOCK, size=90), unit(new.stub, size=100))
    plan = place(base, (*decisions(base, (LARGE, SMALL), KEPT), new), units, DataPage.AFTER)
    assert plan.function(new.stub).start == base.exports[SMALL].value
    assert plan.function(CLOCK).start == base.exports[LARGE].value


def test_a_slot_is_first_for_the_stub_that_takes_its_place() -> None:
    base = read(APART)
    plan = planned(base, unit(CLOCK, size=400), unit(LARGE, size=2), kept=KEPT)
    assert plan.function(LARGE).start == base.exports[LARGE].value
    assert room_kinds(plan) == {LARGE: "slot", CLOCK: "tail"}


def test_functions_of_one_unit_stay_together_in_the_first_slot_that_fits() -> None:
    base = read(Spec())
    code = Section(".text", 64, 2, executable=True)
    together = Unit("a.o", "a.c", False, (code,), {DAY: Span(0, 16), GETRES: Span(16, 48)})
    plan = planned(base, together)
    start = base.exports[DAY].value
    assert (plan.function(DAY), plan.function(GETRES)) == (Span(start, 16), Span(start + 16, 48))


def test_a_function_that_is_not_first_in_its_unit_has_its_slot_all_the_same() -> None:
    base = read(Spec())
    code = Section(".text", 64, 2, executable=True)
    plan = planned(base, Unit("a.o", "a.c", False, (code,), {CLOCK: Span(32, 32)}))
    slot = base.exports[CLOCK].span
    assert not slot.covers(plan.units[0].span), "its unit begins before the slot"
    refuse_overlaps(base, plan)


def test_the_slot_of_a_kept_function_is_not_given_away() -> None:
    base = read(with_functions(plain_code(DAY, 398)))
    plan = planned(base, unit(CPU, size=390), kept=(SIGRETURN, DAY))
    assert base.exports[DAY].span in plan.kept or any(span.covers(base.exports[DAY].span) for span in plan.kept)
    refuse_overlaps(base, plan)


TWO_PAGES = Spec(functions=(*FUNCTIONS[:3], plain_code("filler", 0xA00, export=False), *FUNCTIONS[3:]))
"""clock_getres and what follows lie in the second page; there is room in the first."""


def test_a_stub_stays_in_its_slot_in_a_page_that_could_be_saved() -> None:
    base = read(TWO_PAGES)
    slot = base.exports[GETRES].span
    assert (slot.start // PAGE, len(base.data) // PAGE) == (1, 1)
    plan = planned(base, unit(CLOCK, size=100), unit(GETRES, size=60))
    assert plan.size == 2 * PAGE
    assert plan.function(GETRES).start == slot.start


def test_a_page_is_saved_where_nothing_of_it_is_left() -> None:
    plan = planned(read(TWO_PAGES), unit(CLOCK, size=100))
    assert plan.size == PAGE


def test_code_ends_before_the_first_table_behind_it() -> None:
    """Tables that stay in their place may lie behind the code: none of them, and nothing behind them, is room for code."""
    base = read(Spec(load_size=0x3000))
    for name in kinds.KEPT:
        behind = replace(base, tables=base.tables | {name: Span(0x1000, base.tables[name].size)})
        plan = planned(behind, unit(CLOCK, size=0x500), unit(DAY, size=0x400))
        assert plan.text.end <= 0x1000
        refuse_overlaps(behind, plan)
        with pytest.raises(VdsoError, match="do not fit"):
            planned(behind, unit(CLOCK, size=0x1000))


def test_code_begins_where_that_of_the_base_did() -> None:
    """What is free between tables before it is theirs."""
    base = read(Spec())
    first = min(symbol.value for symbol in base.exports.values())
    plan = planned(base, unit(CLOCK, size=0x900), unit(DAY, size=0x500), unit(GETRES, size=0x100))
    assert min(placed.address for placed in plan.units) >= first


@pytest.mark.parametrize(("size", "pages"), [(0x400, 1), (0x1400, 2), (0x2400, 3), (0xE000, 15)])
def test_pages_are_added_until_it_fits(size: int, pages: int) -> None:
    plan = planned(read(Spec()), unit(CLOCK, size=size))
    assert plan.size == pages * PAGE
    refuse_overlaps(read(Spec()), plan)


def test_what_does_not_fit_into_sixteen_pages_is_refused() -> None:
    small, large = unit(DAY, size=0x10, source="small.c"), unit(CLOCK, size=0x10000, source="large.c")
    what = rf"^large.c: {CLOCK}: 0x10000 bytes of code, 0x10010 with all other stubs, do not fit \(limit: an image of 0x10000"
    with pytest.raises(VdsoError, match=what):
        planned(read(Spec()), small, large)


@pytest.mark.parametrize(("page", "offset"), [(DataPage.AFTER, PAGE), (DataPage.BEFORE, -PAGE), (DataPage.NONE, 0)])
def test_the_plan_says_where_the_data_page_is(page: DataPage, offset: int) -> None:
    assert planned(read(Spec()), unit(CLOCK, size=64), page=page).data_offset == offset


def test_no_function_ends_where_rt_sigreturn_begins() -> None:
    """Unwinders look up the byte before a return address, and would take the function for the signal frame."""
    spec = Spec(functions=(plain_code(CLOCK, 100), *(f for f in FUNCTIONS if f.name != CLOCK)))
    base = read(spec)
    slot, start = base.exports[CLOCK].span, base.exports[SIGRETURN].value
    assert slot.end == start
    assert planned(base, unit(CLOCK, size=98)).function(CLOCK) == Span(slot.start, 98)
    assert planned(base, unit(CLOCK, size=100)).function(CLOCK).end != start


def test_tables_stay_where_they_fit() -> None:
    base = read(Spec())
    plan = planned(base, *(unit(name, size=16) for name in base.exports if name != SIGRETURN))
    same = {name for name in (kinds.HASH, kinds.GNU_HASH, kinds.DYNSYM, kinds.DYNSTR, kinds.VERSYM)}
    assert {name: plan.area(name).start for name in same} == {name: base.tables[name].start for name in same}


def test_a_table_that_grows_moves_behind_the_code() -> None:
    base = read(Spec())
    new = [Decision(f"{PREFIX}new{i}", "add", f"{PREFIX}new{i}") for i in range(20)]
    units = [unit(decision.stub, size=2) for decision in new]
    rest = decisions(base, hidden=(), kept=(SIGRETURN, CPU, CACHE))
    units += [unit(decision.stub, size=2) for decision in rest if decision.stub]
    plan = place(base, (*rest, *new), units, DataPage.AFTER)
    assert plan.area(kinds.DYNSYM).start > plan.text.start
    refuse_overlaps(base, plan)


SPECS: Mapping[str, Spec] = {
    "usual": Spec(),
    "gnu only": Spec(hashes=("gnu",)),
    "no unwind": Spec(eh_frame=False),
    "two pages": TWO_PAGES,
    "a long load": Spec(load_size=0x2345),
}
ALIGNMENTS = st.sampled_from((1, 2, 4, 8, 16, 64, 4096))


@settings(derandomize=True, deadline=None, database=None, max_examples=150)
@given(st.data(), st.sampled_from(sorted(SPECS)), st.sampled_from(DataPage), st.sampled_from((0x1000, 0x4000, 0x10000)))
def test_whatever_is_placed_has_bytes_of_its_own(data: st.DataObject, spec: str, page: DataPage, page_size: int) -> None:
    base = read(SPECS[spec])
    kinds_of = {
        name: data.draw(st.sampled_from(("hide", "replace")), label=name) for name in (CLOCK, DAY, GETRES, CPU, CACHE, HWPROBE)
    }
    made = tuple(
        Decision(name, kinds_of.get(name, "keep"), name if kinds_of.get(name) == "replace" else "") for name in base.exports
    )
    sizes = st.integers(1, 600) | st.integers(600, 6000)
    units = [unit(d.stub, size=data.draw(sizes), align=data.draw(ALIGNMENTS)) for d in made if d.stub]
    assume(units)
    plan = place(base, made, units, page, page_size=page_size)
    refuse_overlaps(base, plan)
    assert [placed.size for placed in plan.units] == [unit.size for unit in units]
    assert [placed.address % unit.align for placed, unit in zip(plan.units, units, strict=True)] == [0] * len(units)
    assert plan.data_offset == page.offset(plan.size, page_size)
    assert (plan.size % page_size, plan.data_offset % page_size, plan.page_size) == (0, 0, page_size)
    assert all(placed.span.end != base.exports[SIGRETURN].value for placed in plan.units)
