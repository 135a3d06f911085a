# SPDX-License-Identifier: MIT
"""The tables of an image that are made anew, as bytes. Placement asks for their sizes, splice for the bytes themselves."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from . import elf, mark, sections, symbols, unwind
from .arch import ADD, HIDE
from .errors import OTHER_BASE, VdsoError
from .image import Image, Note, Symbol
from .policy import Decision
from .room import without

HASH, GNU_HASH, DYNSYM, DYNSTR, VERSYM = ".hash", ".gnu.hash", ".dynsym", ".dynstr", ".gnu.version"
NOTE, UNWIND = ".note", ".eh_frame_hdr"
STRINGS, SECTIONS = sections.STRINGS, "section table"
KEPT = (".gnu.version_d", ".dynamic")
"""Tables that stay where the base has them, patched in place."""

ALIGN = {HASH: 8, GNU_HASH: 8, DYNSYM: 8, DYNSTR: 1, VERSYM: 2, NOTE: 4, UNWIND: 8, STRINGS: 1, SECTIONS: 8}
_FUNCTION = elf.STB_GLOBAL << 4 | elf.STT_FUNC  # what every consumer takes; a base may have weak ones
_BUILD_ID_SIZE = 20  # SHA-1, as ld makes it
BUILD_ID_AT = 16
"""Offset of the build-id in the notes: behind the header of the first note and its owner, `GNU`."""


@dataclass(frozen=True)
class Code:
    """Where the functions of the image are: export to (address, size), and the unwind information of all of them."""

    functions: Mapping[str, tuple[int, int]]
    fdes: Sequence[unwind.Fde]


def visible(base: Image, decisions: Sequence[Decision]) -> list[Symbol]:
    """The symbols that stay: defined and global, less those that are hidden. Undefined and section symbols go."""
    hidden = {d.export for d in decisions if d.policy == HIDE}
    return [s for s in base.symbols if s.bind != elf.STB_LOCAL and s.shndx != elf.SHN_UNDEF and s.name and s.name not in hidden]


def notes(base: Image, data_offset: int, build_id: bytes = bytes(_BUILD_ID_SIZE)) -> bytes:
    """The notes of the base, its build-id replaced (or added), and our mark behind them."""
    kept = [n for n in base.notes if (n.owner, n.type) != (b"GNU\0", elf.NT_GNU_BUILD_ID)]
    ours = Note(mark.OWNER, mark.TYPE, mark.descriptor(data_offset))
    return b"".join(n.pack() for n in (Note(b"GNU\0", elf.NT_GNU_BUILD_ID, build_id), *kept, ours))


def added(base: Image, decisions: Sequence[Decision]) -> list[Symbol]:
    """The symbols that the base does not have, of the version that its exports have; names behind those of the base."""
    version = next(iter(base.exports.values())).version
    offset, symbols = base.tables[DYNSTR][1], []
    for export in (d.export for d in decisions if d.policy == ADD):
        symbols.append(Symbol(export, offset, _FUNCTION, 0, elf.SHN_UNDEF, 0, 0, version))
        offset += len(export) + 1
    return symbols


def names(base: Image, decisions: Sequence[Decision]) -> bytes:
    """.dynstr: that of the base, where each name stays in its place and those of symbols that are gone are blank, and more."""
    address, size = base.tables[DYNSTR]
    text = bytearray(base.data[address : address + size])
    for start, end in _gone_names(base, decisions):
        text[start:end] = bytes(end - start)
    return bytes(text) + b"".join(symbol.name.encode() + b"\0" for symbol in added(base, decisions))


def fresh(
    base: Image, decisions: Sequence[Decision], code: Code, places: Mapping[str, int], data_offset: int
) -> dict[str, bytes]:
    """All tables but the section table, for code and tables at their places. A table that has no place yet is made for 0."""
    text = sections.index(sections.TEXT, bool(code.fdes))
    moved = [
        replace(s, info=_FUNCTION, value=code.functions[s.name][0], size=code.functions[s.name][1], shndx=text)
        if s.name in code.functions
        else s
        for s in visible(base, decisions) + added(base, decisions)
    ]
    found = symbols.tables(moved)
    made = {
        HASH: found.hash,
        GNU_HASH: found.gnu_hash,
        DYNSYM: found.dynsym,
        DYNSTR: names(base, decisions),
        VERSYM: found.versym,
        NOTE: notes(base, data_offset),
        STRINGS: sections.strings(bool(code.fdes)),
    }
    if code.fdes:
        made[UNWIND] = unwind.write(code.fdes, places.get(UNWIND, 0))
    return made


def dynamic(base: Image, places: Mapping[str, int], names_size: int) -> bytes:
    """PT_DYNAMIC with the tables at their places. A hash table that the base lacks takes a spare DT_NULL.

    VdsoError where there is none to spare: the last DT_NULL ends the table.
    """
    values = {
        elf.DT_HASH: places[HASH],
        elf.DT_GNU_HASH: places[GNU_HASH],
        elf.DT_SYMTAB: places[DYNSYM],
        elf.DT_STRTAB: places[DYNSTR],
        elf.DT_STRSZ: names_size,
        elf.DT_VERSYM: places[VERSYM],
    }
    present = [(tag, values.get(tag, value)) for tag, value in base.dynamic if tag != elf.DT_NULL]
    missing = [(tag, value) for tag, value in values.items() if tag not in dict(present)]
    entries = present + missing
    if len(entries) >= len(base.dynamic):
        at = base.tables[".dynamic"][0]
        what = f"PT_DYNAMIC at {at:#x} has {len(base.dynamic) - len(present)} DT_NULL, {len(missing) + 1} are needed"
        raise VdsoError(base.name, what, OTHER_BASE)
    entries += [(elf.DT_NULL, 0)] * (len(base.dynamic) - len(entries))
    return b"".join(elf.DYN.pack(*entry) for entry in entries)


def _gone_names(base: Image, decisions: Sequence[Decision]) -> list[tuple[int, int]]:
    """Ranges of .dynstr that only names of symbols that went away take."""
    address = base.tables[DYNSTR][0]
    used = {s.name_offset: s.name for s in visible(base, decisions)}
    gone = {s.name_offset: s.name for s in base.symbols if s.name and s.name_offset not in used}
    kept = [(offset, offset + len(name) + 1) for offset, name in used.items()]
    ends = (0, base.tag(elf.DT_SONAME) or 0, *version_names(base))
    kept += [(at, base.data.index(b"\0", address + at) - address + 1) for at in ends]
    return without([(offset, offset + len(name)) for offset, name in gone.items()], kept)


def version_names(base: Image) -> list[int]:
    """Offsets in .dynstr of the names that .gnu.version_d tells; its shape was checked when the base was read."""
    at, offsets = base.tables[".gnu.version_d"][0], []
    for _ in range(base.tag(elf.DT_VERDEFNUM) or 0):
        _, _, _, count, _, aux, following = struct.unpack_from("<HHHHIII", base.data, at)
        entry = at + aux
        for _ in range(count):
            name, step = struct.unpack_from("<II", base.data, entry)
            offsets.append(name)
            entry += step
        if not following:
            break
        at += following
    return offsets
