# SPDX-License-Identifier: MIT
"""The read-only model of a vDSO: what its headers say. `image_reader` makes it, with every number checked."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property

from . import elf, mark, unwind
from .arch import Arch
from .elf import Ehdr, Phdr

MOST_SYMBOLS = 0x100  # of a base or an image; Linux's own have at most 0x20
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


@dataclass(frozen=True)
class Note:
    owner: bytes
    type: int
    desc: bytes

    def pack(self) -> bytes:
        body = self.owner + bytes(-len(self.owner) % 4) + self.desc + bytes(-len(self.desc) % 4)
        return NOTE.pack(len(self.owner), len(self.desc), self.type) + body


@dataclass(frozen=True)
class Image:
    """A vDSO. Addresses are those of the ELF, which are also offsets into `data`, the bytes of its one PT_LOAD.

    file        the whole file, sections behind the load included
    dynamic     (tag, value) in the order of the table, DT_NULL and all spare entries included
    tables      name to (address, size) of each table that PT_DYNAMIC and the program headers name
    section_names     empty where there is no section table
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
    fdes: tuple[unwind.Fde, ...]
    tables: dict[str, tuple[int, int]]
    section_names: tuple[str, ...]

    @cached_property
    def exports(self) -> dict[str, Symbol]:
        """Functions that a program can find, by name, in the order of their addresses."""
        functions = (
            s
            for s in self.symbols
            if s.type == elf.STT_FUNC and s.bind != elf.STB_LOCAL and s.shndx != elf.SHN_UNDEF and s.name
        )
        return {s.name: s for s in sorted(functions, key=lambda s: (s.value, s.name))}

    @property
    def linux(self) -> str:
        """Version of the kernel that it was built with, from the note that Linux puts in (include/linux/elfnote-lto.h)."""
        for note in self.notes:
            if note.owner == b"Linux\0" and note.type == 0 and len(note.desc) == 4:
                code = int.from_bytes(note.desc, "little")
                return f"{code >> 16}.{code >> 8 & 0xFF}.{code & 0xFF}"
        return "none"

    @property
    def build_id(self) -> str:
        return next((n.desc.hex() for n in self.notes if (n.owner, n.type) == (b"GNU\0", elf.NT_GNU_BUILD_ID)), "")

    @property
    def data_offset(self) -> int | None:
        """Where an image of ours has its data page (None: none); None for others."""
        desc = next((n.desc for n in self.notes if (n.owner, n.type) == (mark.OWNER, mark.TYPE)), None)
        return mark.data_offset(desc) or None if desc is not None else None

    def tag(self, tag: int) -> int | None:
        return next((value for t, value in self.dynamic if t == tag), None)

    def phdr(self, type: int) -> Phdr | None:
        return next((p for p in self.phdrs if p.type == type), None)
