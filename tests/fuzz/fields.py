# SPDX-License-Identifier: MIT
"""The fields of a sound 64-bit little-endian vDSO, found by a parser of its own: nothing of the product is asked.

A field has a group (what to change) and a kind (what to change it to). Mutations choose the group first, so that the
words of a large table don't outweigh the few fields of a header.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache

from .fuzzed import Fuzzed

ADDRESS, SIZE, COUNT, INDEX, FLAGS, OFFSET, TEXT, CODE = (
    "address", "size", "count", "index", "flags", "offset", "text", "code")  # fmt: skip
NOTYPE, FUNC = 0, 2
LOAD, DYNAMIC, NOTE, EH_FRAME = 1, 2, 4, 0x6474E550
HASH, STRTAB, SYMTAB, STRSZ, GNU_HASH, VERSYM, VERDEF = 4, 5, 6, 10, 0x6FFFFEF5, 0x6FFFFFF0, 0x6FFFFFFC


@dataclass(frozen=True)
class Field:
    at: int
    width: int
    kind: str

    def get(self, data: bytes | bytearray) -> int:
        return int.from_bytes(data[self.at : self.at + self.width], "little")

    def put(self, data: bytearray, value: int) -> None:
        if self.at + self.width <= len(data):
            data[self.at : self.at + self.width] = (value % (1 << 8 * self.width)).to_bytes(self.width, "little")


@dataclass(frozen=True)
class Table:
    """Records of one size, side by side: to swap, to copy, to move. `pointer`: the field that says where they are."""

    at: int
    step: int
    count: int
    pointer: Field | None = None


@dataclass(frozen=True)
class Map:
    """What there is to change. `instructions`: some that code may have."""

    fields: dict[str, tuple[Field, ...]]
    tables: dict[str, Table]
    load: int
    instructions: tuple[bytes, ...]


def _record(at: int, layout: str) -> list[Field]:
    """Return fields side by side: `4a` four bytes that are an address; s size, c count, i index, f flags, o offset."""
    kinds = {"a": ADDRESS, "s": SIZE, "c": COUNT, "i": INDEX, "f": FLAGS, "o": OFFSET, "t": TEXT}
    made = []
    for word in layout.split():
        width = int(word[:-1])
        made.append(Field(at, width, kinds[word[-1]]))
        at += width
    return made


@lru_cache(maxsize=64)
def read(data: bytes, fuzzed: Fuzzed) -> Map:
    fields: dict[str, list[Field]] = {
        "header": _record(4, "1f 1f 1f 1f 1f") + _record(16, "2f 2f 4f 8a 8o 8o 4f 2s 2s 2c 2s 2c 2i")
    }
    tables: dict[str, Table] = {}
    phoff, phnum = struct.unpack_from("<32xQ16xH", data)
    tables["segments"] = Table(phoff, 56, phnum)
    segments: dict[int, tuple[int, int, int]] = {}
    fields["segments"] = []
    for i in range(phnum):
        at = phoff + 56 * i
        kind, _, offset, _, _, size = struct.unpack_from("<IIQQQQ", data, at)
        segments.setdefault(kind, (at, offset, size))
        fields["segments"] += _record(at, "4f 4f 8o 8a 8a 8s 8s 8s")
    load = segments[LOAD][2]
    _, start, size = segments[DYNAMIC]
    tables["dynamic"] = Table(start, 16, size // 16)
    fields["dynamic"], tags, pointers = [], {}, {}
    for at in range(start, start + size, 16):
        tag, value = struct.unpack_from("<qQ", data, at)
        tags[tag], pointers[tag] = value, Field(at + 8, 8, ADDRESS)
        fields["dynamic"] += _record(at, "8f 8a")
    count = _symbols(fields, tables, tags, pointers, data, fuzzed.arch.code_unit)
    _versions(fields, tables, tags, pointers, data, count)
    if NOTE in segments:
        fields["notes"] = _notes(data, *segments[NOTE][1:])
    if EH_FRAME in segments:
        _frames(fields, tables, data, segments[EH_FRAME][1])
    strings = tags[STRTAB]
    fields["strings"] = [Field(at, 1, TEXT) for at in range(strings, strings + tags[STRSZ])]
    shoff, shnum = struct.unpack_from("<40xQ12xH", data)
    if shoff:
        tables["sections"] = Table(shoff, 64, shnum)
        fields["sections"] = [f for i in range(shnum) for f in _record(shoff + 64 * i, "4o 4f 8f 8a 8o 8s 4i 4i 8s 8s")]
    return Map({name: tuple(some) for name, some in fields.items() if some}, tables, load, fuzzed.instructions)


def _symbols(
    fields: dict[str, list[Field]],
    tables: dict[str, Table],
    tags: dict[int, int],
    pointers: dict[int, Field],
    data: bytes,
    unit: int,
) -> int:
    """Add hash tables and symbols, and return the number of symbols."""
    count = 0
    if HASH in tags:
        at = tags[HASH]
        nbucket, count = struct.unpack_from("<II", data, at)
        fields["hash"] = _record(at, "4c 4c") + _record(at + 8, "4i " * (nbucket + count))
        tables["hash"] = Table(at, 4, 2 + nbucket + count, pointers[HASH])
    if GNU_HASH in tags:
        at = tags[GNU_HASH]
        nbucket, first, words, _ = struct.unpack_from("<IIII", data, at)
        buckets = at + 16 + 8 * words
        last = max(struct.unpack_from(f"<{nbucket}I", data, buckets))
        chains = buckets + 4 * nbucket
        while last and not data[chains + 4 * (last - first)] & 1:
            last += 1
        count = count or last + 1
        hashed = max(last + 1 - first, 0)
        fields["gnu hash"] = _record(at, "4c 4i 4c 4f") + _record(at + 16, "8f " * words)
        fields["gnu hash"] += _record(buckets, "4i " * nbucket) + _record(chains, "4f " * hashed)
        tables["gnu hash"] = Table(at, 4, (chains - at) // 4 + hashed, pointers[GNU_HASH])
    at = tags[SYMTAB]
    tables["symbols"] = Table(at, 24, count, pointers[SYMTAB])
    fields["symbols"], fields["code"] = [], []
    for i in range(count):
        info, _, section, value, size = struct.unpack_from("<4xBBHQQ", data, at + 24 * i)
        fields["symbols"] += _record(at + 24 * i, "4o 1f 1f 2i 8a 8s")
        if info & 15 in (NOTYPE, FUNC) and section:
            fields["code"] += [Field(place, unit, CODE) for place in range(value, value + size - unit + 1, unit)]
    return count


def _versions(
    fields: dict[str, list[Field]],
    tables: dict[str, Table],
    tags: dict[int, int],
    pointers: dict[int, Field],
    data: bytes,
    count: int,
) -> None:
    fields["version table"] = _record(tags[VERSYM], "2i " * count)
    tables["version table"] = Table(tags[VERSYM], 2, count, pointers[VERSYM])
    fields["versions"] = []
    at = start = tags[VERDEF]
    while True:
        entries, aux, following = struct.unpack_from("<6xH4xII", data, at)
        fields["versions"] += _record(at, "2f 2f 2i 2c 4f 4o 4o")
        for _ in range(entries):
            fields["versions"] += _record(at + aux, "4o 4o")
            aux += struct.unpack_from("<4xI", data, at + aux)[0]
        if not following:
            break
        at += following
    tables["versions"] = Table(start, 4, (at + 28 - start) // 4, pointers[VERDEF])


def _notes(data: bytes, at: int, size: int) -> list[Field]:
    fields, end = [], at + size
    while at + 12 <= end:
        owner, desc, _ = struct.unpack_from("<III", data, at)
        fields += _record(at, "4s 4s 4f") + _record(at + 12, "1t " * owner)
        at += 12 + -(-owner // 4) * 4 + -(-desc // 4) * 4
    return fields


def _frames(fields: dict[str, list[Field]], tables: dict[str, Table], data: bytes, at: int) -> None:
    """Add the search table, and each FDE and CIE to which it leads."""
    (count,) = struct.unpack_from("<8xI", data, at)
    fields["frame header"] = _record(at, "1f 1f 1f 1f 4o 4c") + _record(at + 12, "4o " * (2 * count))
    tables["frame header"] = Table(at + 12, 8, count)
    fields["frames"] = []
    for i in range(count):
        (place,) = struct.unpack_from("<i", data, at + 16 + 8 * i)
        fde = at + place
        length, back = struct.unpack_from("<II", data, fde)
        fields["frames"] += _record(fde, "4s 4o 4o 4s") + _record(fde + 16, "1f " * (length - 12))
        cie = fde + 4 - back
        (length,) = struct.unpack_from("<I", data, cie)
        fields["frames"] += _record(cie, "4s 4o") + _record(cie + 8, "1f " * (length - 4))
