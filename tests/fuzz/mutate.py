# SPDX-License-Identifier: MIT
"""Changes to a vDSO that keep it plausible: a field, a record, a table, an instruction; and plain damage."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from . import fields
from .choices import Choices
from .fields import CODE, TEXT, Field, Map
from .fuzzed import Fuzzed

STEPS = (1, 2, 3, 4, 7, 8, 12, 16, 24, 28, 56, 64, 0x100, 0x1000)
TAGS = (0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 14, 17, 18, 21, 22, 23, 30, 35, 36, 0x6FFFFEF5, 0x6FFFFFF0, 0x6FFFFFFC,
        0x6FFFFFFD, 0x7FFFFFFD, 0x70000001)  # fmt: skip
SEGMENTS = (0, 1, 2, 3, 4, 6, 7, 0x6474E550, 0x6474E551, 0x6474E552, 0x6474E553, 0x70000003)


def mutate(data: bytes, fuzzed: Fuzzed, choices: Choices, counts: Sequence[int] = (1, 1, 1, 1, 2, 2, 3, 4)) -> bytes:
    """Make as many changes as one of `counts` says."""
    known = fields.read(data, fuzzed)
    changed = bytearray(data)
    for _ in range(choices.pick(counts)):
        if changed:
            choices.pick(_WAYS)(changed, known, choices)
    return bytes(changed)


def _pack(data: bytearray, at: int, form: str, *values: int) -> None:
    """Write values, unless an earlier change has cut off the place."""
    if at + struct.calcsize(form) <= len(data):
        struct.pack_into(form, data, at, *values)


def field(data: bytearray, known: Map, choices: Choices) -> None:
    group = known.fields[choices.pick(tuple(known.fields))]
    one = choices.pick(group)
    one.put(data, _value(one, one.get(data), data, known, choices))


def _value(one: Field, old: int, data: bytearray, known: Map, choices: Choices) -> int:
    if one.kind == CODE:
        whole = int.from_bytes(choices.pick(known.instructions)[: one.width], "little")
        return whole if choices.chance(2) else choices.below(1 << 8 * one.width)
    if one.kind == TEXT:
        return choices.pick((0, old ^ 0x20, old + 1, 0x5F, 0x2E, 0xFF, choices.below(256)))
    top = 1 << 8 * one.width
    way = choices.below(10)
    if way < 3:
        return old + choices.pick(STEPS) * choices.pick((1, -1))
    if way == 3:
        return choices.pick((0, 1, 2, 3, top - 1, top // 2, top // 2 - 1, 0x7F, 0x80, 0xFFFF, 0x80000000))
    if way == 4:
        return known.load + choices.pick((0, 1, -1, 8, -8, -16, -24, -64, 0x1000))
    if way == 5:
        return old ^ 1 << choices.below(8 * one.width)
    if way == 6:
        return choices.pick((old * 2, old // 2, old & ~7, old | 7, -old))
    if way == 7:
        return choices.below(known.load)
    if way == 8:
        return choices.below(64)
    alike = [f for group in known.fields.values() for f in group if f.kind == one.kind and f.width == one.width]
    return choices.pick(alike).get(data)


def record(data: bytearray, known: Map, choices: Choices) -> None:
    """Swap two records of a table, or write one over another."""
    table = known.tables[choices.pick(tuple(known.tables))]
    if not table.count:
        return
    first, second = (table.at + table.step * choices.below(table.count) for _ in range(2))
    one, other = bytes(data[first : first + table.step]), bytes(data[second : second + table.step])
    data[first : first + table.step] = other
    if choices.chance(2):
        data[second : second + table.step] = one


def move(data: bytearray, known: Map, choices: Choices) -> None:
    """Move a table to another place, and correct the pointer to it."""
    table = known.tables[choices.pick([name for name, table in known.tables.items() if table.pointer])]
    content = bytes(data[table.at : table.at + table.step * table.count])
    to = choices.below(max(known.load - len(content), 1)) & ~choices.pick((7, 7, 7, 3, 1, 0))
    data[to : to + len(content)] = content
    assert table.pointer
    table.pointer.put(data, to)


def retag(data: bytearray, known: Map, choices: Choices) -> None:
    table = known.tables["dynamic"]
    at = table.at + 16 * choices.below(table.count)
    _pack(data, at, "<q", choices.pick(TAGS))
    if choices.chance(3):
        _pack(data, at + 8, "<Q", choices.pick((0, 1, 2, 24, known.load, choices.below(known.load))))


def segment(data: bytearray, known: Map, choices: Choices) -> None:
    table = known.tables["segments"]
    _pack(data, table.at + 56 * choices.below(table.count), "<I", choices.pick(SEGMENTS))


def code(data: bytearray, known: Map, choices: Choices) -> None:
    if "code" in known.fields:
        at, word = choices.pick(known.fields["code"]).at, choices.pick(known.instructions)
        data[at : at + len(word)] = word


def load(data: bytearray, known: Map, choices: Choices) -> None:
    """Change the size of the load, in the file and in memory; the file may end with it, and zeros may follow."""
    table = known.tables["segments"]
    for at in range(table.at, table.at + 56 * table.count, 56):
        if data[at : at + 4] == b"\1\0\0\0":
            size = max(known.load + choices.pick(STEPS) * choices.pick((1, -1, -8)), 0)
            _pack(data, at + 32, "<QQ", size, size)
            if choices.chance(2):
                del data[size:]
                data += bytes(max(size - len(data), 0))


def damage(data: bytearray, _known: Map, choices: Choices) -> None:
    """Change, take out or insert bytes anywhere."""
    for _ in range(choices.pick((1, 2, 4, 16))):
        data[choices.below(len(data))] = choices.below(256)
    at, size = choices.below(len(data)), choices.pick((0, 0, 1, 8, 64))
    if choices.chance(4):
        del data[at : at + size]
    elif choices.chance(4):
        data[at:at] = bytes(data[: choices.pick((1, 4, 16, 64))])
    elif choices.chance(8):
        del data[max(at, 1) :]


_WAYS = (field,) * 12 + (record, record, move, move, retag, retag, segment, code, code, load, damage)
