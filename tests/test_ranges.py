# SPDX-License-Identifier: MIT
"""Spans, sets of them and room, against sets of single bytes, which nobody can get wrong."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vdso.ranges import Room, Span, align_up, merged, without

SPANS = st.builds(Span, st.integers(-8, 24), st.integers(0, 10))
EXACT = settings(derandomize=True, deadline=None, database=None)
LISTS = st.lists(SPANS, max_size=6)


def members(*spans: Span) -> set[int]:
    return {byte for span in spans for byte in range(span.start, span.start + span.size)}


def tidy(spans: list[Span]) -> bool:
    """Tell whether spans ascend, none is empty, and at least a byte lies between two."""
    return all(span.size > 0 for span in spans) and all(a.end < b.start for a, b in itertools.pairwise(spans))


@pytest.mark.parametrize(
    ("value", "alignment", "aligned"), [(0, 8, 0), (1, 8, 8), (8, 8, 8), (9, 8, 16), (-1, 8, 0), (7, 1, 7)]
)
def test_a_value_is_aligned_upwards(value: int, alignment: int, aligned: int) -> None:
    assert align_up(value, alignment) == aligned


def test_a_span_between_two_addresses_ends_at_the_second() -> None:
    assert Span.between(3, 10) == Span(3, 7)
    assert Span(3, 7).end == 10


@EXACT
@given(SPANS, SPANS)
def test_questions_about_two_spans_are_answered_as_of_sets(one: Span, other: Span) -> None:
    assert all(one.holds(byte) == (byte in members(one)) for byte in range(-10, 40))
    if other.size:
        assert one.covers(other) == (members(other) <= members(one))
    if one.size and other.size:
        assert one.overlaps(other) == bool(members(one) & members(other))


def test_spans_that_touch_do_not_overlap() -> None:
    assert not Span(0, 4).overlaps(Span(4, 4))
    assert not Span(4, 4).overlaps(Span(0, 4))


@EXACT
@given(LISTS)
def test_merged_spans_are_the_same_bytes_in_order(spans: list[Span]) -> None:
    result = merged(spans)
    assert members(*result) == members(*spans)
    assert tidy(result)


@EXACT
@given(LISTS, LISTS)
def test_what_is_taken_away_is_gone_and_nothing_else(spans: list[Span], taken: list[Span]) -> None:
    result = without(spans, taken)
    assert members(*result) == members(*spans) - members(*taken)
    assert tidy(result)


@EXACT
@given(LISTS, st.integers(-8, 30), st.integers(1, 8))
def test_room_is_taken_where_all_of_it_is_free(spans: list[Span], start: int, size: int) -> None:
    room = Room(spans)
    wanted = members(Span(start, size))
    assert room.take_at(start, size) == (wanted <= members(*spans))
    left = members(*spans) - wanted if wanted <= members(*spans) else members(*spans)
    assert members(*room.spans) == left


@EXACT
@given(LISTS, st.integers(1, 8), st.sampled_from((1, 2, 4, 8)))
def test_room_is_found_if_there_is_any(spans: list[Span], size: int, alignment: int) -> None:
    """The first aligned place of the smallest span that has one, and of equal ones the lowest."""
    room, free = Room(spans), merged(spans)
    fitting = [
        (span.size, address)
        for span in free
        for address in range(span.start, span.end)
        if address % alignment == 0 and address + size <= span.end
    ]
    address = room.take(size, alignment)
    assert address == (min(fitting)[1] if fitting else None)
    taken = set() if address is None else members(Span(address, size))
    assert members(*room.spans) == members(*free) - taken


def test_room_that_is_used_up_gives_no_more() -> None:
    room = Room([Span(0, 8), Span(16, 4)])
    assert [room.take(4, 4), room.take(4, 4), room.take(4, 4), room.take(4, 4)] == [16, 0, 4, None]
