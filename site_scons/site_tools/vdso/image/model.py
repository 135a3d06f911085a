# SPDX-License-Identifier: MIT
"""The read-only model of a vDSO (a base or an image), as its headers describe it. `reader` makes it and checks every number."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property

from ..arch.arch import Arch
from ..elf import elf64
from ..elf.elf64 import PHDR, Ehdr, Phdr
from ..elf.unwind import Fde
from ..ranges import Span, merged, without
from .analysis import analyse
from .maker import Maker, maker

NOTE = struct.Struct("<III")


@dataclass(frozen=True)
class Symbol:
    """An entry of .dynsym. `version`: its index in .gnu.version, as it stands there."""

    name: str
    name_offset: int
    info: int
    other: int
    shndx: int
    value: int
    size: int
    version: int

    @property
    def bind(self) -> int:
        return self.info >> 4

    @property
    def type(self) -> int:
        return self.info & 15

    @property
    def span(self) -> Span:
        return Span(self.value, self.size)

    @property
    def callable(self) -> bool:
        """Tell whether it is defined as code. Labels of assembly have no type (Linux's rt_sigreturn on some architectures)."""
        if self.type == elf64.STT_NOTYPE:
            return self.shndx not in (elf64.SHN_UNDEF, elf64.SHN_ABS)
        return self.type == elf64.STT_FUNC and self.shndx != elf64.SHN_UNDEF


@dataclass(frozen=True)
class Note:
    owner: bytes
    type: int
    desc: bytes

    def pack(self) -> bytes:
        """Return the note as it stands in PT_NOTE (gABI, "Note Section")."""
        body = self.owner + bytes(-len(self.owner) % 4) + self.desc + bytes(-len(self.desc) % 4)
        return NOTE.pack(len(self.owner), len(self.desc), self.type) + body


@dataclass(frozen=True)
class Vdso:
    """A vDSO. Addresses are those of the ELF, which are also offsets into `data`, the bytes of its one PT_LOAD.

    file        the whole file, sections behind the load included
    dynamic     (tag, value) in the order of the table, DT_NULL and all spare entries included
    tables      name to place of each table that PT_DYNAMIC and the program headers name
    relocated   words that a loader would have to relocate; none does
    patched     code that Linux patches at boot to suit the CPU, as far as a section table says it
    """

    name: str
    arch: Arch
    file: bytes
    data: bytes
    ehdr: Ehdr
    phdrs: tuple[Phdr, ...]
    dynamic: tuple[tuple[int, int], ...]
    symbols: tuple[Symbol, ...]
    notes: tuple[Note, ...]
    fdes: tuple[Fde, ...]
    tables: dict[str, Span]
    relocated: tuple[Span, ...]
    patched: tuple[Span, ...]

    @cached_property
    def exports(self) -> dict[str, Symbol]:
        """Return the functions that programs can find, by name, in the order of their addresses; none of its aliases."""
        return {name: symbol for name, symbol in self._functions.items() if name not in self.aliases}

    @cached_property
    def aliases(self) -> dict[str, str]:
        """Return second names of exports: name without the prefix to the export that has it, which it follows.

        Linux has such names, weak ones, on some architectures. Who finds one finds the same code as by the full name.
        """
        found = {}
        for name, symbol in self._functions.items():
            full = self._functions.get(self.arch.export(name))
            if full is not None and full.value == symbol.value:
                found[name] = full.name
        return found

    @cached_property
    def _functions(self) -> dict[str, Symbol]:
        functions = (s for s in self.symbols if s.callable and s.bind != elf64.STB_LOCAL and s.name)
        return {s.name: s for s in sorted(functions, key=lambda s: (s.value, s.name))}

    @cached_property
    def reached(self) -> tuple[Span, ...]:
        """Return the code that its exports reach, ascending, disjoint."""
        covered = (span for s in self.exports.values() for span in analyse(self.data, s.value, self.arch).covered)
        return tuple(merged(covered))

    @cached_property
    def between(self) -> tuple[Span, ...]:
        """Return what is neither a table nor an export: read-only data, local functions, padding."""
        known = [*self.tables.values(), *(s.span for s in self.exports.values())]
        return tuple(without([Span(0, len(self.data))], known))

    @property
    def load(self) -> Phdr:
        """Return the one PT_LOAD."""
        return next(p for p in self.phdrs if p.type == elf64.PT_LOAD)

    @property
    def headers(self) -> Span:
        """Return the span of the ELF header and the program headers behind it."""
        return Span(0, self.ehdr.phoff + self.ehdr.phnum * PHDR.size)

    @cached_property
    def maker(self) -> Maker:
        """Return who made it."""
        return maker((note.owner, note.type, note.desc) for note in self.notes)

    @property
    def build_id(self) -> str:
        """Return the build-id in hex digits; "" where there is none."""
        return next((n.desc.hex() for n in self.notes if (n.owner, n.type) == (b"GNU\0", elf64.NT_GNU_BUILD_ID)), "")

    def tag(self, tag: int) -> int | None:
        """Return the value of the first dynamic entry with this tag."""
        return next((value for t, value in self.dynamic if t == tag), None)
