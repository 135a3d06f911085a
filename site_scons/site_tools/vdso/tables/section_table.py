# SPDX-License-Identifier: MIT
"""The section table of the image: every table of it, its code, and nothing that no longer holds.

GNU's tools that rewrite a file (`strip`, `objcopy`) write what sections hold, and zeros elsewhere. They, elfutils and LLVM
lay the names and the table behind the load. So does this, in the way of GNU ld (bfd/elf.c): then a tool has nothing to
change. The table ends the last page, which is mapped whole: bionic, LLVM libc and gdb read it in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..arch.arch import Arch
from ..elf import elf64
from ..elf.elf64 import SHDR
from ..ranges import Span, align_up
from .kinds import STRINGS

TEXT = ".text"
PADDING = ".padding"
"""Zeros from the last table to where the names begin: a section, so that no tool moves what follows."""
_KINDS = {
    ".hash": (elf64.SHT_HASH, elf64.SHF_ALLOC, 8, 4),
    ".gnu.hash": (elf64.SHT_GNU_HASH, elf64.SHF_ALLOC, 8, 0),
    ".dynsym": (elf64.SHT_DYNSYM, elf64.SHF_ALLOC, 8, elf64.SYM.size),
    ".dynstr": (elf64.SHT_STRTAB, elf64.SHF_ALLOC, 1, 0),
    ".gnu.version": (elf64.SHT_GNU_VERSYM, elf64.SHF_ALLOC, 2, 2),
    ".gnu.version_d": (elf64.SHT_GNU_VERDEF, elf64.SHF_ALLOC, 8, 0),
    ".dynamic": (elf64.SHT_DYNAMIC, elf64.SHF_ALLOC, 8, elf64.DYN.size),
    ".note": (elf64.SHT_NOTE, elf64.SHF_ALLOC, 4, 0),
    ".eh_frame_hdr": (elf64.SHT_PROGBITS, elf64.SHF_ALLOC, 4, 0),
    ".eh_frame": (elf64.SHT_PROGBITS, elf64.SHF_ALLOC, 8, 0),
    TEXT: (elf64.SHT_PROGBITS, elf64.SHF_ALLOC | elf64.SHF_EXECINSTR, 0, 0),  # its alignment: the architecture's
    PADDING: (elf64.SHT_PROGBITS, elf64.SHF_ALLOC, 1, 0),
    STRINGS: (elf64.SHT_STRTAB, 0, 1, 0),
}
_UNWIND = (".eh_frame_hdr", ".eh_frame")
_LINKS = {
    ".hash": ".dynsym",
    ".gnu.hash": ".dynsym",
    ".dynsym": ".dynstr",
    ".gnu.version": ".dynsym",
    ".gnu.version_d": ".dynstr",
    ".dynamic": ".dynstr",
}


@dataclass(frozen=True)
class Behind:
    """Where names and table lie in an image: `names` begins where the load ends, `table` ends with the image."""

    names: Span
    table: Span


def section_names(unwind: bool) -> tuple[str, ...]:
    """Return the sections of an image, in the order of the table behind its null entry; `unwind`: it has .eh_frame."""
    return tuple(name for name in _KINDS if unwind or name not in _UNWIND)


def index(name: str, unwind: bool) -> int:
    """Return the number of a section in the table."""
    return section_names(unwind).index(name) + 1


def make_shstrtab(unwind: bool) -> bytes:
    """Return .shstrtab: its own name first, as GNU ld does it, and no name that is the end of another's."""
    found = [STRINGS, *(name for name in section_names(unwind) if name != STRINGS)]
    return b"\0" + b"".join(
        name.encode() + b"\0" for name in found if not any(other != name and other.endswith(name) for other in found)
    )


def behind(size: int, unwind: bool) -> Behind:
    """Return where names and table lie in an image of `size` bytes, whole pages."""
    length = (len(section_names(unwind)) + 1) * SHDR.size
    texts = len(make_shstrtab(unwind))
    start = size - length
    return Behind(Span(start - align_up(texts, 8), texts), Span(start, length))


def make_section_table(places: Mapping[str, Span], unwind: bool, versions: int, arch: Arch) -> bytes:
    """Return the section table for tables and code at `places`. `versions`: DT_VERDEFNUM."""
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
        # a table that stays where the base has it can lie at a multiple of less (lld aligns .gnu.version_d to 4)
        align = min(align or arch.code_unit, place.start & -place.start)
        out += SHDR.pack(name_at, kind, flags, mapped, place.start, place.size, link, info, align, entsize)
    return out
