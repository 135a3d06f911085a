# SPDX-License-Identifier: MIT
"""Which symbols an image has, and the string table that holds their names."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from ..arch.arch import ADD, HIDE
from ..elf import elf64
from ..image.model import Symbol, Vdso
from ..policy.decide import Decision
from ..ranges import Span, without
from .kinds import DYNSTR

FUNCTION = elf64.STB_GLOBAL << 4 | elf64.STT_FUNC
"""The st_info that every consumer takes; a base may have weak exports."""


def visible(base: Vdso, decisions: Sequence[Decision]) -> list[Symbol]:
    """Return the symbols that stay: defined and global, less those that are hidden. Undefined and section symbols go."""
    hidden = {d.export for d in decisions if d.policy == HIDE}
    hidden |= {alias for alias, export in base.aliases.items() if export in hidden}
    return [
        s for s in base.symbols if s.bind != elf64.STB_LOCAL and s.shndx != elf64.SHN_UNDEF and s.name and s.name not in hidden
    ]


def added(base: Vdso, decisions: Sequence[Decision]) -> list[Symbol]:
    """Return the symbols that the base does not have, of the version of its exports; their names follow those of the base."""
    version = next(iter(base.exports.values())).version
    offset, symbols = base.tables[DYNSTR].size, []
    for export in (d.export for d in decisions if d.policy == ADD):
        symbols.append(Symbol(export, offset, FUNCTION, 0, elf64.SHN_UNDEF, 0, 0, version))
        offset += len(export) + 1
    return symbols


def make_dynstr(base: Vdso, decisions: Sequence[Decision]) -> bytes:
    """Return .dynstr: the base's, names of removed symbols blanked, names of added ones appended."""
    table = base.tables[DYNSTR]
    text = bytearray(base.data[table.start : table.end])
    for gone in _gone_names(base, decisions):
        text[gone.start : gone.end] = bytes(gone.size)
    return bytes(text) + b"".join(symbol.name.encode() + b"\0" for symbol in added(base, decisions))


def _gone_names(base: Vdso, decisions: Sequence[Decision]) -> list[Span]:
    """Return the parts of .dynstr that only names of symbols that went away take."""
    address = base.tables[DYNSTR].start
    used = {s.name_offset: s.name for s in visible(base, decisions)}
    gone = {s.name_offset: s.name for s in base.symbols if s.name and s.name_offset not in used}
    kept = [Span(offset, len(name) + 1) for offset, name in used.items()]
    for offset in (0, base.tag(elf64.DT_SONAME) or 0, *_version_names(base)):
        kept.append(Span.between(offset, base.data.index(b"\0", address + offset) - address + 1))
    return without([Span(offset, len(name)) for offset, name in gone.items()], kept)


def _version_names(base: Vdso) -> list[int]:
    """Return the offsets in .dynstr of the names of .gnu.version_d; its shape was checked when the base was read."""
    at, offsets = base.tables[".gnu.version_d"].start, []
    for _ in range(base.tag(elf64.DT_VERDEFNUM) or 0):
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
