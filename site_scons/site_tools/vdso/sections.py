# SPDX-License-Identifier: MIT
"""The section table of the image: what tools and bionic find only by sections, and nothing that no longer holds.

Hash tables and .eh_frame_hdr have no section: everyone finds them through PT_DYNAMIC and program headers, and a base with
one page has no room to spare.
"""

from __future__ import annotations

from collections.abc import Mapping

from . import elf
from .elf import SHDR

TEXT = ".text"
STRINGS = ".shstrtab"
_KINDS = {
    ".dynsym": (elf.SHT_DYNSYM, elf.SHF_ALLOC, 8, elf.SYM.size),
    ".dynstr": (elf.SHT_STRTAB, elf.SHF_ALLOC, 1, 0),
    ".gnu.version": (elf.SHT_GNU_VERSYM, elf.SHF_ALLOC, 2, 2),
    ".gnu.version_d": (elf.SHT_GNU_VERDEF, elf.SHF_ALLOC, 8, 0),
    ".dynamic": (elf.SHT_DYNAMIC, elf.SHF_ALLOC, 8, elf.DYN.size),
    ".note": (elf.SHT_NOTE, elf.SHF_ALLOC, 4, 0),
    ".eh_frame": (elf.SHT_PROGBITS, elf.SHF_ALLOC, 8, 0),
    TEXT: (elf.SHT_PROGBITS, elf.SHF_ALLOC | elf.SHF_EXECINSTR, 2, 0),
    STRINGS: (elf.SHT_STRTAB, 0, 1, 0),
}
_LINKS = {".dynsym": ".dynstr", ".gnu.version": ".dynsym", ".gnu.version_d": ".dynstr", ".dynamic": ".dynstr"}


def names(unwind: bool) -> tuple[str, ...]:
    """The sections of an image, in the order of the table behind its null entry."""
    return tuple(name for name in _KINDS if unwind or name != ".eh_frame")


def index(name: str, unwind: bool) -> int:
    return names(unwind).index(name) + 1


def strings(unwind: bool) -> bytes:
    return b"\0" + b"".join(name.encode() + b"\0" for name in names(unwind))


def table_size(unwind: bool) -> int:
    return (len(names(unwind)) + 1) * SHDR.size


def table(places: Mapping[str, tuple[int, int]], versions: int) -> bytes:
    """The section table for tables at `places`: name to (address, size). `versions`: DT_VERDEFNUM."""
    unwind = ".eh_frame" in places
    texts = strings(unwind)
    out = bytes(SHDR.size)
    for name in names(unwind):
        type, flags, align, entsize = _KINDS[name]
        address, size = places[name]
        link = index(_LINKS[name], unwind) if name in _LINKS else 0
        # sh_info: for .dynsym one more than the last local symbol, for .gnu.version_d the number of definitions
        info = {".dynsym": 1, ".gnu.version_d": versions}.get(name, 0)
        mapped = address if flags & elf.SHF_ALLOC else 0
        out += SHDR.pack(texts.index(name.encode() + b"\0"), type, flags, mapped, address, size, link, info, align, entsize)
    return out
