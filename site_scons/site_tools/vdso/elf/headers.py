# SPDX-License-Identifier: MIT
"""Reads ELF headers of either class and byte order, with bounds: enough to tell what a file is and where it ends.

elf64.py has the records of the one form that we work on. All four forms are read into those records, so that an error can
name a vDSO that was found and not taken.
Source: the System V gABI, chapter 4 and 5.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from . import elf64

MAGIC = b"\x7fELF"
PN_XNUM = 0xFFFF  # e_phnum of a core with more segments than that: sh_info of the first section header has their number


class Truncated(Exception):
    """The headers of an ELF file say that it goes on behind the end of the data. The message says which part is missing."""

    def __init__(self, part: str, end: int, size: int) -> None:
        super().__init__(f"truncated: its {part} ends at {end:#x} and the data at {size:#x}")


@dataclass(frozen=True)
class Form:
    """The records of one ELF class (wide: 64 bit) and byte order ("<" or ">").

    pyelftools has them as ELFStructs, whose parsers take seven times as long; `extract.find` may have to read 65,536 headers.
    """

    wide: bool
    order: str

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """Return the bytes of the ELF header, a program header, a section header, a symbol."""
        return (64, 56, 64, 24) if self.wide else (52, 32, 40, 16)

    def ehdr(self, data: bytes | memoryview) -> elf64.Ehdr:
        return elf64.Ehdr(*struct.unpack_from(self.order + ("16sHHIQQQI6H" if self.wide else "16sHHIIIII6H"), data))

    def phdr(self, data: bytes | memoryview, at: int) -> elf64.Phdr:
        if self.wide:
            return elf64.Phdr(*struct.unpack_from(self.order + "II6Q", data, at))
        kind, offset, vaddr, paddr, filesz, memsz, flags, align = struct.unpack_from(self.order + "8I", data, at)
        return elf64.Phdr(kind, flags, offset, vaddr, paddr, filesz, memsz, align)

    def shdr(self, data: bytes | memoryview, at: int) -> elf64.Shdr:
        return elf64.Shdr(*struct.unpack_from(self.order + ("IIQQQQIIQQ" if self.wide else "10I"), data, at))

    def sym(self, data: bytes | memoryview, at: int) -> elf64.Sym:
        if self.wide:
            return elf64.Sym(*struct.unpack_from(self.order + "IBBHQQ", data, at))
        name, value, size, info, other, shndx = struct.unpack_from(self.order + "IIIBBH", data, at)
        return elf64.Sym(name, info, other, shndx, value, size)

    def dynamic(self, data: bytes) -> dict[int, int]:
        """Return tag to value of the dynamic entries before DT_NULL, the first of each tag."""
        entry = struct.Struct(self.order + ("qQ" if self.wide else "iI"))
        out: dict[int, int] = {}
        for tag, value in entry.iter_unpack(data[: len(data) // entry.size * entry.size]):
            if tag == elf64.DT_NULL:
                break
            out.setdefault(tag, value)
        return out


@dataclass(frozen=True)
class Headers:
    """An ELF header that makes sense, and the program headers that it names."""

    form: Form
    ehdr: elf64.Ehdr
    phdrs: tuple[elf64.Phdr, ...]

    @property
    def loaded(self) -> int:
        """Return where the last segment ends, in the file."""
        return max((p.offset + p.filesz for p in self.phdrs), default=0)

    @property
    def table_end(self) -> int:
        """Return where the section table ends, in the file; 0 when there is none."""
        return self.ehdr.shoff + self.ehdr.shnum * self.ehdr.shentsize if self.ehdr.shoff and self.ehdr.shnum else 0

    def sections(self, data: bytes | memoryview) -> list[elf64.Shdr]:
        """Return the section table, which must lie in `data`."""
        return [self.form.shdr(data, self.ehdr.shoff + i * self.ehdr.shentsize) for i in range(self.ehdr.shnum)]

    def check(self, data: bytes | memoryview, table: bool = True) -> None:
        """Raise Truncated when segments, or with `table` the section table, go on behind the end of `data`."""
        if self.loaded > len(data):
            raise Truncated("last segment", self.loaded, len(data))
        if table and self.table_end > len(data):
            raise Truncated("section table", self.table_end, len(data))


def read_headers(data: bytes | memoryview, most: int | None = None) -> Headers | None:
    """Return the headers of the ELF file that `data` starts with.

    None when only the four magic bytes are right (the class, byte order, version or size of a record is impossible), and
    where there are more than `most` program headers. Truncated when the headers themselves are cut off.
    """
    if len(data) < 16:
        raise Truncated("ELF header", 64, len(data))
    if data[elf64.EI_CLASS] not in (1, 2) or data[elf64.EI_DATA] not in (1, 2):
        return None
    form = Form(data[elf64.EI_CLASS] == elf64.ELFCLASS64, "<" if data[elf64.EI_DATA] == elf64.ELFDATA2LSB else ">")
    ehsize, phentsize, shentsize, _ = form.sizes
    if len(data) < ehsize:
        raise Truncated("ELF header", ehsize, len(data))
    ehdr = form.ehdr(data)
    if ehdr.version != 1 or ehdr.ehsize != ehsize:
        return None
    if (ehdr.phnum and ehdr.phentsize != phentsize) or (ehdr.shnum and ehdr.shentsize != shentsize):
        return None
    phnum = ehdr.phnum
    if phnum == PN_XNUM and ehdr.shoff:
        if ehdr.shoff + shentsize > len(data):
            raise Truncated("first section header", ehdr.shoff + shentsize, len(data))
        phnum = form.shdr(data, ehdr.shoff).info
    if most is not None and phnum > most:
        return None
    end = ehdr.phoff + phnum * phentsize
    if end > len(data):
        raise Truncated("program header table", end, len(data))
    return Headers(form, ehdr, tuple(form.phdr(data, ehdr.phoff + i * phentsize) for i in range(phnum)))


def dynamic_symbols(image: bytes, form: Form, tags: dict[int, int]) -> Iterator[elf64.Sym]:
    """Yield the dynamic symbols of an image whose addresses are offsets. struct.error where a table leaves the image.

    Their number is nchain of DT_HASH, or the end of the last chain of DT_GNU_HASH.
    """
    if elf64.DT_HASH in tags:
        (count,) = struct.unpack_from(form.order + "4xI", image, tags[elf64.DT_HASH])
    else:
        at = tags.get(elf64.DT_GNU_HASH, len(image))
        buckets, first, bloom, _ = struct.unpack_from(form.order + "4I", image, at)
        table = at + 16 + bloom * (8 if form.wide else 4)
        if buckets > len(image):
            raise struct.error(f"{buckets} buckets of DT_GNU_HASH")
        count = max(struct.unpack_from(f"{form.order}{buckets}I", image, table), default=0)
        if count >= first:
            chain = table + 4 * (buckets - first)
            while not struct.unpack_from(form.order + "I", image, chain + 4 * count)[0] & 1:
                count += 1
            count += 1
        else:
            count = first
    for i in range(count):
        yield form.sym(image, tags[elf64.DT_SYMTAB] + i * form.sizes[3])
