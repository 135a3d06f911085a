# SPDX-License-Identifier: MIT
"""The section table of the image: what tools and bionic find only by sections, and nothing that no longer holds.

Hash tables and .eh_frame_hdr have no section: everyone finds them through PT_DYNAMIC and program headers, and a base with
one page has no room to spare.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..arch.arch import Arch
from ..elf import elf64
from ..elf.elf64 import SHDR
from ..ranges import Span
from .kinds import STRINGS

TEXT = ".text"
_KINDS = {
    ".dynsym": (elf64.SHT_DYNSYM, elf64.SHF_ALLOC, 8, elf64.SYM.size),
    ".dynstr": (elf64.SHT_STRTAB, elf64.SHF_ALLOC, 1, 0),
    ".gnu.version": (elf64.SHT_GNU_VERSYM, elf64.SHF_ALLOC, 2, 2),
    ".gnu.version_d": (elf64.SHT_GNU_VERDEF, elf64.SHF_ALLOC, 8, 0),
    ".dynamic": (elf64.SHT_DYNAMIC, elf64.SHF_ALLOC, 8, elf64.DYN.size),
    ".note": (elf64.SHT_NOTE, elf64.SHF_ALLOC, 4, 0),
    ".eh_frame": (elf64.SHT_PROGBITS, elf64.SHF_ALLOC, 8, 0),
    TEXT: (elf64.SHT_PROGBITS, elf64.SHF_ALLOC | elf64.SHF_EXECINSTR, 0, 0),  # its alignment: the architecture's
    STRINGS: (elf64.SHT_STRTAB, 0, 1, 0),
}
_LINKS = {".dynsym": ".dynstr", ".gnu.version": ".dynsym", ".gnu.version_d": ".dynstr", ".dynamic": ".dynstr"}


def section_names(unwind: bool) -> tuple[str, ...]:
    """Return the sections of an image, in the order of the table behind its null entry; `unwind`: it has .eh_frame."""
    return tuple(name for name in _KINDS if unwind or name != ".eh_frame")


def index(name: str, unwind: bool) -> int:
    """Return the number of a section in the table."""
    return section_names(unwind).index(name) + 1


def make_shstrtab(unwind: bool) -> bytes:
    """Return .shstrtab."""
    return b"\0" + b"".join(name.encode() + b"\0" for name in section_names(unwind))


def table_size(unwind: bool) -> int:
    """Return how many bytes the section table has."""
    return (len(section_names(unwind)) + 1) * SHDR.size


def make_section_table(places: Mapping[str, Span], versions: int, arch: Arch) -> bytes:
    """Return the section table for tables and code at `places`. `versions`: DT_VERDEFNUM."""
    unwind = ".eh_frame" in places
    texts = make_shstrtab(unwind)
    out = bytes(SHDR.size)
    for name in section_names(unwind):
        kind, flags, align, entsize = _KINDS[name]
        place = places[name]
        link = index(_LINKS[name], unwind) if name in _LINKS else 0
        # sh_info: for .dynsym one more than the last local symbol, for .gnu.version_d the number of definitions
        info = {".dynsym": 1, ".gnu.version_d": versions}.get(name, 0)
        mapped = place.start if flags & elf64.SHF_ALLOC else 0
        name_at = texts.index(name.encode() + b"\0")
        align = align or arch.code_unit
        out += SHDR.pack(name_at, kind, flags, mapped, place.start, place.size, link, info, align, entsize)
    return out
