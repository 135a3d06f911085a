# SPDX-License-Identifier: MIT
"""Compiled stub sources, taken apart into the units that are placed: a function with the constants that it uses.

gcc pools 64-bit constants of a file in one section, and a linker script can put a section in one place only: so
functions that share a pool are one unit.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import SymbolTableSection

from . import elf
from .arch import Arch
from .errors import VdsoError
from .inputs import STUB

DATA_PAGE = "vdso_data"
"""The symbol of the data page: the linker script defines it."""


@dataclass(frozen=True)
class Section:
    name: str
    size: int
    align: int
    executable: bool


@dataclass(frozen=True)
class Unit:
    """Sections of one object file that must stay together, code first.

    object      base name of the object file
    source      what messages call the file that it was compiled from
    functions   global functions in it: name to (offset from the unit's start, size)
    """

    object: str
    source: str
    sections: tuple[Section, ...]
    functions: dict[str, tuple[int, int]] = field(hash=False)

    @property
    def align(self) -> int:
        return max(section.align for section in self.sections)

    @property
    def size(self) -> int:
        at = 0
        for section in self.sections:
            at = elf.align_up(at, section.align) + section.size
        return at


@dataclass(frozen=True)
class Object:
    """An object file.

    defined     global symbol to (section, offset in it, size)
    uses        section to the sections and outer symbols that it refers to
    fixed       section to the first (offset, type) of its relocations that tie it to an address, or to a table of them
    """

    name: str
    source: str
    sections: dict[int, Section]
    writable: tuple[str, ...]
    defined: dict[str, tuple[int, int, int]]
    uses: dict[int, frozenset[int | str]]
    fixed: dict[int, tuple[int, int]]


def read(name: str, data: bytes, source: str, arch: Arch) -> Object:
    """The object file `data`; `name` is its base name, `source` what messages call it. VdsoError if it isn't one."""
    try:
        return _read(name, ELFFile(io.BytesIO(data)), source, arch)
    except ELFError as error:
        raise VdsoError(source, f"not an object file: {error}", "set CROSS_COMPILE or VDSO_CC") from error


def _read(name: str, file: ELFFile, source: str, arch: Arch) -> Object:
    sections, writable = {}, []
    for index, section in enumerate(file.iter_sections()):
        flags = section["sh_flags"]
        if flags & elf.SHF_ALLOC and section["sh_size"] and section["sh_type"] in ("SHT_PROGBITS", "SHT_NOBITS"):
            if flags & elf.SHF_WRITE:
                writable.append(section.name)
            elif not section.name.startswith((".eh_frame", ".note")):
                executable = bool(flags & elf.SHF_EXECINSTR)
                sections[index] = Section(section.name, section["sh_size"], section["sh_addralign"], executable)
    table = next(s for s in file.iter_sections() if isinstance(s, SymbolTableSection))
    defined = {
        symbol.name: (symbol["st_shndx"], symbol["st_value"], symbol["st_size"])
        for symbol in table.iter_symbols()
        if symbol.name and isinstance(symbol["st_shndx"], int) and symbol["st_info"]["bind"] != "STB_LOCAL"
    }
    uses: dict[int, set[int | str]] = {index: set() for index in sections}
    fixed: dict[int, tuple[int, int]] = {}
    for relocations in file.iter_sections():
        if isinstance(relocations, RelocationSection) and relocations["sh_info"] in uses:
            for relocation in relocations.iter_relocations():
                kind = relocation["r_info_type"]
                if kind not in arch.relocations:
                    fixed.setdefault(relocations["sh_info"], (relocation["r_offset"], kind))
                symbol = table.get_symbol(relocation["r_info_sym"])
                where = symbol["st_shndx"]
                if isinstance(where, int):
                    uses[relocations["sh_info"]].add(where)
                elif symbol.name:
                    uses[relocations["sh_info"]].add(symbol.name)
    return Object(name, source, sections, tuple(writable), defined, {k: frozenset(v) for k, v in uses.items()}, fixed)


def units(objects: Sequence[Object], wanted: Iterable[str], data_page: str) -> tuple[Unit, ...]:
    """The units that hold the functions `wanted` and all that they refer to, in the order of the object files.

    `data_page`: after, before or none. VdsoError for writable data, undefined symbols, symbols that two sources define,
    relocations that are left for a loader, and code that uses a data page where there is none.
    """
    owner: dict[str, Object] = {}
    for object in objects:
        if object.writable:
            what = f"has writable data (section {', '.join(object.writable)})"
            raise VdsoError(object.source, what, "the image is mapped read-only: make it const, or use the data page")
        for symbol in object.defined:
            if symbol in owner:
                ours = owner[symbol].name.startswith(STUB)
                what = f"`{symbol}` is defined in {owner[symbol].source} too"
                raise VdsoError(object.source, what, "give yours another name" if ours else "leave one of them out")
            owner[symbol] = object
    needed: set[tuple[int, int]] = set()
    work = [_place(objects, owner, symbol) for symbol in wanted]
    while work:
        place = work.pop()
        if place in needed:
            continue
        needed.add(place)
        object = objects[place[0]]
        if place[1] in object.fixed:
            at, kind = object.fixed[place[1]]
            what = f"{object.sections[place[1]].name} at {at:#x} holds an address (relocation of type {kind:#x})"
            raise VdsoError(object.source, what, "a vDSO has no GOT and no relocations: form it in code, or leave it out")
        for use in object.uses.get(place[1], ()):
            if isinstance(use, int):
                if use in object.sections:
                    work.append((place[0], use))
            elif use == DATA_PAGE:
                if data_page == "none":
                    what = "uses the data page, and DATA_PAGE=none makes none"
                    raise VdsoError(object.source, what, "take DATA_PAGE=after or before, or ask the kernel")
            else:
                if use not in owner:
                    todo = f"define it there: nothing is linked but the stub sources; `{DATA_PAGE}` is the data page"
                    raise VdsoError(object.source, f"undefined symbol `{use}`", todo)
                work.append(_place(objects, owner, use))
    return tuple(
        _unit(object, group)
        for index, object in enumerate(objects)
        for group in _groups(object, sorted(section for owner, section in needed if owner == index))
    )


def _place(objects: Sequence[Object], owner: dict[str, Object], symbol: str) -> tuple[int, int]:
    object = owner[symbol]
    return objects.index(object), object.defined[symbol][0]


def _groups(object: Object, sections: list[int]) -> list[list[int]]:
    """Constants go with their users, users of one constant together; code that only calls code stays apart."""
    groups: list[set[int]] = []
    for section in sections:
        shared = {s for s in object.uses[section] if isinstance(s, int) and s in object.sections}
        tied = {section} | {s for s in shared if not (object.sections[s].executable and object.sections[section].executable)}
        touching = [group for group in groups if group & tied]
        groups = [group for group in groups if not group & tied] + [tied.union(*touching)]
    return [sorted(group) for group in sorted(groups, key=min)]


def _unit(object: Object, group: list[int]) -> Unit:
    ordered = sorted(group, key=lambda index: (not object.sections[index].executable, index))
    functions, at = {}, 0
    for index in ordered:
        section = object.sections[index]
        at = elf.align_up(at, section.align)
        for name, (where, value, size) in object.defined.items():
            if where == index and section.executable:
                functions[name] = (at + value, size)
        at += section.size
    return Unit(object.name, object.source, tuple(object.sections[index] for index in ordered), functions)
