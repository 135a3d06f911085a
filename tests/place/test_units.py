# SPDX-License-Identifier: MIT
"""What of object files is placed, and what must stay together, on records of object files that no compiler made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import pytest
from vdso.data_page import DataPage
from vdso.errors import VdsoError
from vdso.place.units import DATA_SYMBOL, Unit, units
from vdso.ranges import Span
from vdso.stubs.objects import Object, Section


def code(name: str, size: int = 16, align: int = 2) -> Section:
    return Section(f".text.{name}", size, align, executable=True)


def constants(name: str, size: int = 8, align: int = 8) -> Section:
    return Section(f".rodata.{name}", size, align, executable=False)


def file(
    name: str,
    sections: Mapping[int, Section],
    defined: Mapping[str, tuple[int, int, int]],
    uses: Mapping[int, Iterable[int | str]] | None = None,
    *,
    users: bool = False,
    writable: tuple[str, ...] = (),
    fixed: Mapping[int, tuple[int, int]] | None = None,
) -> Object:
    used = {index: frozenset((uses or {}).get(index, ())) for index in sections}
    return Object(f"{name}.o", f"{name}.c", users, dict(sections), writable, dict(defined), used, dict(fixed or {}))


def one(name: str, *uses: int | str, users: bool = False) -> Object:
    """Return an object file with one function of 16 bytes."""
    return file(name, {1: code(name)}, {name: (1, 0, 16)}, {1: uses}, users=users)


def made(objects: list[Object], *wanted: str, page: DataPage = DataPage.AFTER) -> tuple[Unit, ...]:
    return units(objects, wanted, page, counter_page=False)


def sections(found: tuple[Unit, ...]) -> list[list[str]]:
    return [[section.name for section in unit.sections] for unit in found]


def test_a_function_is_a_unit() -> None:
    [unit] = made([one("f", users=True)], "f")
    assert unit == Unit("f.o", "f.c", True, (code("f"),), {"f": Span(0, 16)})
    assert (unit.size, unit.align) == (16, 2)


def test_what_nobody_wants_is_left_out() -> None:
    both = file("ab", {1: code("a"), 2: code("b")}, {"a": (1, 0, 16), "b": (2, 0, 16)})
    assert sections(made([both, one("c")], "b")) == [[".text.b"]]
    assert made([both, one("c")]) == ()


def test_functions_of_a_file_are_units_apart_in_its_order() -> None:
    both = file("ab", {1: code("a"), 2: code("b")}, {"b": (2, 0, 16), "a": (1, 0, 16)})
    assert sections(made([one("c"), both], "b", "c", "a")) == [[".text.c"], [".text.a"], [".text.b"]]


def test_constants_go_with_the_function_that_uses_them() -> None:
    sources = {1: code("a"), 2: constants("a"), 3: code("b"), 4: constants("b")}
    both = file("ab", sources, {"a": (1, 0, 16), "b": (3, 0, 16)}, {1: [2], 3: [4]})
    assert sections(made([both], "a", "b")) == [[".text.a", ".rodata.a"], [".text.b", ".rodata.b"]]


def test_functions_that_share_constants_stay_together() -> None:
    sources = {1: constants("pool"), 2: code("a"), 3: code("b"), 4: code("c")}
    defined = {"a": (2, 0, 16), "b": (3, 0, 16), "c": (4, 0, 16)}
    shared = file("abc", sources, defined, {2: [1], 3: [1]})
    assert sections(made([shared], "a", "b", "c")) == [[".text.a", ".text.b", ".rodata.pool"], [".text.c"]]
    assert sections(made([shared], "a", "c")) == [[".text.a", ".rodata.pool"], [".text.c"]]


def test_groups_that_a_later_section_ties_become_one() -> None:
    """a uses pool 4, b uses pool 5, and c uses both."""
    sources = {1: code("a"), 2: code("b"), 3: code("c"), 4: constants("one"), 5: constants("two")}
    defined = {"a": (1, 0, 16), "b": (2, 0, 16), "c": (3, 0, 16)}
    tied = file("abc", sources, defined, {1: [4], 2: [5], 3: [4, 5]})
    assert sections(made([tied], "a", "b", "c")) == [[".text.a", ".text.b", ".text.c", ".rodata.one", ".rodata.two"]]


def test_code_that_only_calls_code_stays_apart() -> None:
    calls = file("ab", {1: code("a"), 2: code("b")}, {"a": (1, 0, 16)}, {1: [2]})
    assert sections(made([calls], "a")) == [[".text.a"], [".text.b"]]


def test_constants_that_use_constants_come_along() -> None:
    chain = file("a", {1: code("a"), 2: constants("one"), 3: constants("two")}, {"a": (1, 0, 16)}, {1: [2], 2: [3]})
    assert sections(made([chain], "a")) == [[".text.a", ".rodata.one", ".rodata.two"]]


def test_what_is_called_in_another_file_comes_along() -> None:
    assert sections(made([one("callee"), one("caller", "callee"), one("idle")], "caller")) == [
        [".text.callee"],
        [".text.caller"],
    ]


def test_calls_in_a_circle_end() -> None:
    assert sections(made([one("a", "b"), one("b", "a")], "a")) == [[".text.a"], [".text.b"]]


def test_sections_that_are_no_code_and_no_constants_are_passed_over() -> None:
    """As the one of absolute symbols, or one that is not loaded."""
    assert sections(made([one("a", 7)], "a")) == [[".text.a"]]


def test_sections_lie_aligned_behind_each_other() -> None:
    sources = {1: code("a", size=18), 2: code("b", size=6, align=16), 3: constants("c", size=4, align=4)}
    defined = {"a": (1, 0, 18), "b": (2, 2, 4), "table": (3, 0, 4)}
    [unit] = made([file("ab", sources, defined, {1: [3], 2: [3]})], "a", "b")
    assert unit.functions == {"a": Span(0, 18), "b": Span(34, 4)}
    assert (unit.size, unit.align) == (44, 16)


def test_the_data_page_is_no_section() -> None:
    for page in (DataPage.AFTER, DataPage.BEFORE):
        assert sections(made([one("a", DATA_SYMBOL)], "a", page=page)) == [[".text.a"]]


REFUSED = {
    "the data page where there is none": (
        [one("a", DATA_SYMBOL)],
        "a.c: uses the data page, and DATA_PAGE=none makes none; take DATA_PAGE=after or before",
    ),
    "a symbol that nobody defines": ([one("a", "gone")], "a.c: undefined symbol `gone`; define it there"),
    "a symbol of a callee's that nobody defines": (
        [one("a", "b"), one("b", "gone")],
        "b.c: undefined symbol `gone`",
    ),
    "writable data": (
        [file("a", {1: code("a")}, {"a": (1, 0, 16)}, writable=(".data", ".bss"))],
        "a.c: has writable data (section .data, .bss); the image is mapped read-only",
    ),
    "writable data in a file that nobody wants": (
        [one("a"), file("b", {}, {}, writable=(".data",))],
        "b.c: has writable data (section .data)",
    ),
    "an address that a loader would have to fill in": (
        [file("a", {1: code("a"), 2: constants("t")}, {"a": (1, 0, 16)}, {1: [2]}, fixed={2: (0x10, 0x2)})],
        "a.c: .rodata.t at 0x10 holds an address (relocation of type 0x2); a vDSO has no GOT",
    ),
    "a symbol that two of ours define": ([one("a"), one("a")], "a.c: `a` is defined in a.c too; give yours another name"),
    "a symbol that two of the user's define": (
        [one("a", users=True), one("a", users=True)],
        "a.c: `a` is defined in a.c too; leave one of them out",
    ),
}


@pytest.mark.parametrize(("objects", "what"), REFUSED.values(), ids=REFUSED)
def test_what_no_image_can_hold_is_refused(objects: list[Object], what: str) -> None:
    with pytest.raises(VdsoError, match="^" + re.escape(what)):
        made(objects, "a", page=DataPage.NONE)


def test_an_address_in_what_nobody_wants_is_no_matter() -> None:
    both = file("ab", {1: code("a"), 2: code("b")}, {"a": (1, 0, 16), "b": (2, 0, 16)}, fixed={2: (0, 2)})
    assert sections(made([both], "a")) == [[".text.a"]]
    with pytest.raises(VdsoError, match="holds an address"):
        made([both], "b")
