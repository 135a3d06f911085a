# SPDX-License-Identifier: MIT
"""Reads the object file of a stub source: what it defines, what it refers to, and what in it no vDSO can hold."""

from __future__ import annotations

import io
from dataclasses import dataclass

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import SymbolTableSection

from ..arch.arch import Arch
from ..elf import elf64
from ..errors import VdsoError


@dataclass(frozen=True)
class Section:
    name: str
    size: int
    align: int
    executable: bool


@dataclass(frozen=True)
class Object:
    """An object file.

    name        its base name
    source      the name of its source in messages
    users       the user wrote that source, not we
    defined     global symbol to (section, offset in it, size)
    uses        section to the sections and outer symbols that it refers to
    needs_loader     section to the first (offset, type) of its relocations that a loader would have to apply
    """

    name: str
    source: str
    users: bool
    sections: dict[int, Section]
    writable: tuple[str, ...]
    defined: dict[str, tuple[int, int, int]]
    uses: dict[int, frozenset[int | str]]
    needs_loader: dict[int, tuple[int, int]]


def read_object(name: str, data: bytes, source: str, users: bool, arch: Arch) -> Object:
    """Return the object file `data`. The other arguments are as in `Object`. VdsoError if it isn't one."""
    try:
        file = ELFFile(io.BytesIO(data))
        sections, writable = _sections(file)
        table = next(s for s in file.iter_sections() if isinstance(s, SymbolTableSection))
        uses, needs_loader = _relocations(file, table, sections, arch)
        return Object(name, source, users, sections, writable, _defined(table), uses, needs_loader)
    except ELFError as error:
        raise VdsoError(source, f"not an object file: {error}", "set CROSS_COMPILE or VDSO_CC") from error


def _sections(file: ELFFile) -> tuple[dict[int, Section], tuple[str, ...]]:
    """Return code and constants by index, and the names of the sections that can be written."""
    sections, writable = {}, []
    for index, section in enumerate(file.iter_sections()):
        flags = section["sh_flags"]
        if flags & elf64.SHF_ALLOC and section["sh_size"] and section["sh_type"] in ("SHT_PROGBITS", "SHT_NOBITS"):
            if flags & elf64.SHF_WRITE:
                writable.append(section.name)
            elif not section.name.startswith((".eh_frame", ".note")):
                executable = bool(flags & elf64.SHF_EXECINSTR)
                sections[index] = Section(section.name, section["sh_size"], section["sh_addralign"], executable)
    return sections, tuple(writable)


def _defined(table: SymbolTableSection) -> dict[str, tuple[int, int, int]]:
    return {
        symbol.name: (symbol["st_shndx"], symbol["st_value"], symbol["st_size"])
        for symbol in table.iter_symbols()
        if symbol.name and isinstance(symbol["st_shndx"], int) and symbol["st_info"]["bind"] != "STB_LOCAL"
    }


def _relocations(
    file: ELFFile, table: SymbolTableSection, sections: dict[int, Section], arch: Arch
) -> tuple[dict[int, frozenset[int | str]], dict[int, tuple[int, int]]]:
    """Return `uses` and `needs_loader` of `Object`."""
    uses: dict[int, set[int | str]] = {index: set() for index in sections}
    needs_loader: dict[int, tuple[int, int]] = {}
    for relocations in file.iter_sections():
        if isinstance(relocations, RelocationSection) and relocations["sh_info"] in uses:
            for relocation in relocations.iter_relocations():
                kind = relocation["r_info_type"]
                if kind not in arch.relocations:
                    needs_loader.setdefault(relocations["sh_info"], (relocation["r_offset"], kind))
                symbol = table.get_symbol(relocation["r_info_sym"])
                where = symbol["st_shndx"]
                if isinstance(where, int):
                    uses[relocations["sh_info"]].add(where)
                elif symbol.name:
                    uses[relocations["sh_info"]].add(symbol.name)
    return {section: frozenset(used) for section, used in uses.items()}, needs_loader
