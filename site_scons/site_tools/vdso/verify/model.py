# SPDX-License-Identifier: MIT
"""The records that the rules look at: an image as `reader` has read it. None stands for what could not be read.

Symbol, Note, Section and Fde are records of the second parser; those of the same names elsewhere belong to the code that makes
the image, and have no part in its proof.
Types and tags are the names that pyelftools gives them ("PT_LOAD", "DT_HASH"), plain numbers where it knows none.
Addresses are offsets from the image's first byte: the one load of a vDSO has offset = vaddr = 0, and a rule says so if it
has not.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..arch.arch import Arch
from ..elf.elf64 import PAGE, pages
from ..image.analysis import Function

Name = str | int
NAMELESS = ("STT_SECTION", "STT_FILE")


@dataclass(frozen=True)
class Header:
    """The fields of the ELF header that rules ask for."""

    type: Name
    osabi: int
    abiversion: int
    version: Name
    ehsize: int
    phentsize: int
    phoff: int
    phnum: int
    shoff: int
    shentsize: int
    shnum: int
    shstrndx: int


@dataclass(frozen=True)
class Segment:
    type: Name
    flags: int
    offset: int
    vaddr: int
    filesz: int
    memsz: int


@dataclass(frozen=True)
class Section:
    """A section. `name` is None when it lies outside of the string table."""

    name: str | None
    type: Name
    flags: int
    addr: int
    offset: int
    size: int
    link: int
    entsize: int


@dataclass(frozen=True)
class Symbol:
    """An entry of the dynamic symbol table. `name` is None when it lies outside of DT_STRTAB's string table."""

    index: int
    name: str | None
    type: Name
    bind: Name
    shndx: Name
    value: int
    size: int

    @property
    def defined(self) -> bool:
        return self.shndx != "SHN_UNDEF"

    def __str__(self) -> str:
        return self.name or f"symbol 0x{self.index:x}"


@dataclass(frozen=True)
class Note:
    owner: str
    type: int
    desc: bytes


@dataclass(frozen=True)
class Version:
    """One definition of DT_VERDEF; `names` are those of its auxiliary entries, None where one can't be read."""

    at: int
    version: int
    base: bool
    index: int
    hash: int
    names: tuple[str | None, ...]


@dataclass(frozen=True)
class Versions:
    """The definitions along vd_next. `stopped` says why the walk did not come to its end, "" if it did."""

    definitions: tuple[Version, ...]
    stopped: str


@dataclass(frozen=True)
class SysvHash:
    """DT_HASH. `buckets` and `chains` are the addresses of the arrays."""

    nbucket: int
    nchain: int
    buckets: int
    chains: int


@dataclass(frozen=True)
class GnuHash:
    """DT_GNU_HASH.

    `bloom`, `buckets` and `chains` are the addresses of the arrays; chains begin with symbol `symoffset`.
    """

    nbuckets: int
    symoffset: int
    bloom_size: int
    bloom_shift: int
    bloom: int
    buckets: int
    chains: int


@dataclass(frozen=True)
class Fde:
    """The FDE at address `at`, which describes the code [start, end)."""

    at: int
    start: int
    end: int


@dataclass(frozen=True)
class Frames:
    """.eh_frame_hdr: its head, its table as (location, address of the FDE), and those FDEs, None if not readable."""

    at: int
    version: int
    encodings: tuple[int, int, int]
    eh_frame: int | None
    count: int
    table: tuple[tuple[int, int], ...] | None
    fdes: tuple[Fde | None, ...]


@dataclass(frozen=True)
class Beside:
    """How many pages of a kernel lie beside an image: right before it, and right behind its pages."""

    before: int
    after: int


@dataclass(frozen=True)
class Subject:
    """An image and what was read of it.

    ours            the image carries our note (elf/our_note.py)
    data_offset     where our note says that the data page lies, None: there is none
    counter_offset  where the counter lies that is a word of a page, None: there is no such one
    data            [start, end) of the pages of the kernel that are known to be mapped beside it
    announced       whether something says which these are: our note, or the user
    layout          version of the layout in our note, None without one
    sections        None: no readable section table
    dynamic         entries up to DT_NULL; None: no readable PT_DYNAMIC
    terminated      DT_NULL was found inside PT_DYNAMIC
    symbols         None: no symbol table, or nothing that says how long it is
    versym          the version index of each symbol
    notes           of every PT_NOTE, None: not readable
    functions       what the code of each exported function does, by symbol
    """

    image: bytes
    arch: Arch
    ours: bool
    data_offset: int | None
    counter_offset: int | None
    data: tuple[tuple[int, int], ...]
    announced: bool
    layout: int | None
    header: Header
    segments: tuple[Segment, ...]
    sections: tuple[Section, ...] | None
    dynamic: tuple[tuple[Name, int], ...] | None
    terminated: bool
    symbols: tuple[Symbol, ...] | None
    sysv: SysvHash | None
    gnu: GnuHash | None
    versions: Versions | None
    versym: tuple[int, ...] | None
    notes: tuple[Note, ...] | None
    frames: Frames | None
    functions: tuple[tuple[Symbol, Function], ...]

    @property
    def loads(self) -> tuple[Segment, ...]:
        return self.of_type("PT_LOAD")

    @property
    def size(self) -> int:
        """Return the bytes in memory of the first load; those of the file where there is none."""
        return self.loads[0].memsz if self.loads else len(self.image)

    @property
    def pages(self) -> int:
        """Return where the pages of the first load end."""
        return pages(self.size) * PAGE

    @property
    def mapped(self) -> int:
        """Return where the pages end that a kernel maps of it.

        Of an image of ours these are those of its load. Linux maps whole pages of the file, up to where its data begins.
        """
        behind = [start for start, _end in self.data if start > 0]
        return self.pages if self.ours else min([pages(len(self.image)) * PAGE, *behind])

    @property
    def exports(self) -> tuple[Symbol, ...]:
        """Return every symbol that programs can look up by name: no sections, and not the symbol that names a version."""
        return tuple(
            symbol
            for symbol in self.symbols or ()
            if symbol.index and symbol.name and symbol.shndx != "SHN_ABS" and symbol.type not in NAMELESS
        )

    def of_type(self, kind: Name) -> tuple[Segment, ...]:
        """Return the segments of one type."""
        return tuple(segment for segment in self.segments if segment.type == kind)

    def tag(self, name: Name) -> int | None:
        """Return the value of a dynamic tag, of the last entry as every loader does; None where there is none."""
        return next((value for tag, value in reversed(self.dynamic or ()) if tag == name), None)

    def inside(self, start: int, size: int = 1) -> bool:
        """Tell whether all of these bytes are inside the load, and in the file too."""
        return start >= 0 and start + size <= min(self.size, len(self.image))

    def half(self, at: int) -> int | None:
        return self._number("<H", at)

    def word(self, at: int) -> int | None:
        return self._number("<I", at)

    def xword(self, at: int) -> int | None:
        return self._number("<Q", at)

    def string(self, offset: int) -> str | None:
        """Return the string at `offset` of DT_STRTAB, None when it does not end inside DT_STRSZ."""
        start, size = self.tag("DT_STRTAB"), self.tag("DT_STRSZ")
        return None if start is None or size is None else string(self.image, start, size, offset)

    def _number(self, form: str, at: int) -> int | None:
        if not 0 <= at <= len(self.image) - struct.calcsize(form):
            return None
        number: int = struct.unpack_from(form, self.image, at)[0]
        return number


def string(image: bytes, table: int, size: int, offset: int) -> str | None:
    """Return the string at `offset` of the string table of `size` bytes at `table`, None when it does not end inside."""
    if not 0 <= offset < size or table < 0:
        return None
    end = image.find(b"\0", table + offset, table + size)
    if end < 0:
        return None
    text = image[table + offset : end].decode("utf-8", "replace")
    return text if text.isprintable() else repr(text)  # findings are lines


def signed(value: int) -> str:
    """Return an address as hex; one below the image, which wraps in 64 bits, with a sign."""
    value = value - (1 << 64) if value >= 1 << 63 else value
    return f"-0x{-value:x}" if value < 0 else f"0x{value:x}"
