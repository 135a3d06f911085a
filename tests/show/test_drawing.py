# SPDX-License-Identifier: MIT
"""A drawing has the area of each byte once, and names only what has room for its name."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vdso.arch.arch import KEEP, REPLACE
from vdso.elf.elf64 import PAGE
from vdso.ranges import Span
from vdso.show.drawing import CELL, CELLS, HEIGHT, ROW, WIDTH, drawn, lines
from vdso.show.regions import COUNTER, DATA, REST, TABLE, Region

EXACT = settings(derandomize=True, deadline=None, database=None)
COMMAND = re.compile(r"([MHVhvz])(-?[\d ]*)")


def region(start: int, end: int, name: str = "name", kind: str = TABLE) -> Region:
    return Region(Span.between(start, end), kind, name)


def inside(path: str) -> set[int]:
    """Return the bytes of a page whose middle lies within an SVG path of M, H, V, h, v and z, by the even-odd rule."""
    edges, (x, y), first = [], (0, 0), (0, 0)
    for command, rest in COMMAND.findall(path):
        numbers = [int(word) for word in rest.split()]
        match command:
            case "M":
                x, y = first = (numbers[0], numbers[1])
                continue
            case "H":
                to = (numbers[0], y)
            case "h":
                to = (x + numbers[0], y)
            case "V":
                to = (x, numbers[0])
            case "v":
                to = (x, y + numbers[0])
            case _:
                to = first
        if to[1] != y:
            assert to[0] == x, "no edge is oblique"
            edges.append((x, min(y, to[1]), max(y, to[1])))
        x, y = to
    found = set()
    for byte in range(PAGE):
        left, top = byte % ROW * WIDTH + WIDTH / 2, byte // ROW * HEIGHT + HEIGHT / 2
        if sum(low < top < high and at < left for at, low, high in edges) % 2:
            found.add(byte)
    return found


SIZES = st.sampled_from((1, 5, ROW - 1, ROW, ROW + 1, 2 * ROW, 2 * ROW + 3, 700)) | st.integers(1, PAGE)


@EXACT
@given(st.integers(0, PAGE - 1) | st.sampled_from((0, ROW - 1, ROW, PAGE - 1)), SIZES)
def test_a_shape_is_the_bytes_of_its_region(start: int, size: int) -> None:
    end = min(start + size, PAGE)
    around = [region(0, start)] if start else []
    page = drawn([*around, region(start, end), *([region(end, PAGE)] if end < PAGE else [])], "")[0]
    assert inside(page.shapes[len(around)].path) == set(range(start, end))


@EXACT
@given(st.lists(st.integers(1, 3 * PAGE - 1), max_size=6, unique=True))
def test_pages_show_every_byte_once(cuts: list[int]) -> None:
    borders = [0, *sorted(cuts), 3 * PAGE]
    regions = [region(a, b, f"r{a}") for a, b in itertools.pairwise(borders)]
    pages = drawn(regions, "")
    assert [(page.start, page.name) for page in pages] == [(i * PAGE, f"page {i}") for i in range(3)]
    for page in pages:
        shown = [byte for shape in page.shapes for byte in inside(shape.path)]
        assert sorted(shown) == list(range(PAGE))
        for shape in page.shapes:
            assert all(shape.region.span.holds(page.start + byte) for byte in inside(shape.path))


@pytest.mark.parametrize(
    ("data", "counter", "names"),
    [
        (-PAGE, -2 * PAGE, ["the page of the counter", "the data page", "page 0"]),
        (PAGE, 2 * PAGE, ["page 0", "the data page", "the page of the counter"]),
    ],
)
def test_pages_are_counted_without_those_beside(data: int, counter: int, names: list[str]) -> None:
    beside = [region(data, data + PAGE, kind=DATA), region(counter, counter + PAGE, kind=COUNTER)]
    regions = sorted([region(0, PAGE), *beside], key=lambda r: r.start)
    assert [page.name for page in drawn(regions, "")] == names


@pytest.mark.parametrize(
    ("size", "name", "room"),
    [(ROW, "x" * 113, True), (ROW, "x" * 114, False), (8, "x" * 6, True), (8, "x" * 7, False), (1, "", False), (2, "", True)],
)
def test_a_name_is_written_where_it_fits(size: int, name: str, room: bool) -> None:
    """A letter takes 5.6 units, a byte 5, and there are 6 around the name. The prefix of exports is left out."""
    for written in (name, f"__vdso_{name}"):
        shape = drawn([region(0, size, written), region(size, PAGE)], "__vdso_")[0].shapes[0]
        assert shape.label == room
        assert (shape.x, shape.y) == ((4, 10) if room else (0, -3))


def test_a_name_stands_in_the_largest_part_of_its_region() -> None:
    """From the middle of a row over whole rows to the begin of one: in the whole rows."""
    start, end = ROW // 2, 5 * ROW + 3
    shape = drawn([region(0, start), region(start, end), region(end, PAGE)], "")[0].shapes[1]
    assert (shape.x, shape.y, shape.label) == (4, HEIGHT + (4 * HEIGHT + 7) // 2, True)


def test_addresses_stand_beside_each_fourth_row() -> None:
    page = drawn([region(0, 2 * PAGE)], "")[1]
    assert page.marks == [(PAGE + i * PAGE // 8, i * 4 * HEIGHT) for i in range(8)]


def test_a_terminal_shows_a_letter_for_sixteen_bytes() -> None:
    regions = [region(0, 32, kind="headers"), region(32, 64, kind=TABLE), region(64, 2 * CELL * CELLS, kind=REST)]
    rows = lines(regions)
    assert [start for start, _ in rows] == [0, CELL * CELLS]
    assert rows[0][1] == [("headers", "hh"), ("table", "tt"), ("rest", "." * 60)]
    assert rows[1][1] == [("rest", "." * 64)]


def test_a_terminal_shows_of_a_cell_what_has_most_of_it_but_a_function_first() -> None:
    mixed = [region(0, 9), region(9, 16, kind=REST), region(16, 23), region(23, 32, kind=REST)]
    assert lines(mixed)[0][1] == [("table", "t"), ("rest", ".")]
    tiny = [region(0, 14), region(14, 16, kind=KEEP), region(16, 22, kind=KEEP), region(22, 32, kind=REPLACE)]
    assert lines(tiny)[0][1] == [("keep", "K"), ("replace", "R")]


def test_a_map_that_ends_within_a_line_is_shown_to_its_end() -> None:
    assert lines([region(0, CELL + 1)]) == [(0, [("table", "tt")])]
