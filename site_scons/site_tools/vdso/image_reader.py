# SPDX-License-Identifier: MIT
"""From the bytes of a vDSO to its model: every number checked against the bytes that are there.

Nothing is taken on trust: a file is accepted only if a splice of it can be sound, and is told why not otherwise. The
independent look, with another parser, is `verify`.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator

from . import elf, unwind
from .arch import Arch
from .elf import DYN, EHDR, PHDR, SHDR, SYM, Ehdr, Phdr, Shdr, Sym
from .errors import OTHER_BASE, VdsoError
from .image import MOST_SYMBOLS, NOTE, Image, Note, Symbol

MOST_BYTES = 0x40000  # of a load; the largest vDSO that is known has 0x10000, and each function of it is analysed
MOST_VERSIONS = 0x10  # definitions, and names of one: Linux's own have two, of a name each


def read(name: str, file: bytes, arch: Arch) -> Image:
    """The model of the ELF `file`; `name` is what messages call it.

    Raises VdsoError for anything that is not a plain vDSO of `arch`, whole, with one PT_LOAD and no relocations.
    """
    return Reader(name, file, arch).image()


class Reader:
    """The parts of `read`, which share the file and its name. Each raises VdsoError."""

    def __init__(self, name: str, file: bytes, arch: Arch) -> None:
        self.name, self.file, self.arch = name, file, arch
        self.data = b""

    def error(self, what: str, todo: str = OTHER_BASE) -> VdsoError:
        return VdsoError(self.name, what, todo)

    def bytes(self, what: str, address: int, size: int) -> bytes:
        if address < 0 or size < 0 or address + size > len(self.data):
            raise self.error(f"{what} at {address:#x} of {size:#x} bytes leaves the load of {len(self.data):#x} bytes")
        return self.data[address : address + size]

    def image(self) -> Image:
        ehdr = self.header()
        phdrs = self.segments(ehdr)
        dynamic = self.dynamic(phdrs)
        tags = dict(reversed(dynamic))
        if elf.DT_AUXILIARY in tags:
            raise self.error("a vDSO for user-mode CFI (DT_AUXILIARY)", "take the plain one of the same kernel")
        tables = self.tables(tags, phdrs)
        symbols = self.symbols(tags, tables)
        fdes = self.fdes(phdrs, tables)
        self.apart(ehdr, tables, symbols)
        return Image(
            name=self.name,
            arch=self.arch,
            file=self.file,
            data=self.data,
            ehdr=ehdr,
            phdrs=phdrs,
            dynamic=dynamic,
            symbols=symbols,
            notes=self.notes(phdrs),
            fdes=fdes,
            tables=tables,
            section_names=self.section_names(ehdr),
        )

    def header(self) -> Ehdr:
        file = self.file
        if not file:
            raise self.error("empty", "give a vDSO")
        if len(file) < EHDR.size or not file.startswith(b"\x7fELF"):
            raise self.error("not ELF", "give a vDSO, or a file that holds one")
        if file[elf.EI_DATA] != elf.ELFDATA2LSB:
            raise self.error(f"big-endian ELF (EI_DATA {file[elf.EI_DATA]:#x})", f"{self.arch.name} is little-endian")
        if file[elf.EI_CLASS] != elf.ELFCLASS64:
            raise self.error(f"32-bit ELF (EI_CLASS {file[elf.EI_CLASS]:#x})", "give the 64-bit vDSO")
        ehdr = Ehdr(*EHDR.unpack_from(file))
        if ehdr.machine != self.arch.machine:
            what = f"e_machine is {ehdr.machine:#x}, not {self.arch.machine:#x} ({self.arch.name})"
            raise self.error(what, "give a vDSO of this architecture, or set ARCH")
        if ehdr.type != elf.ET_DYN:
            raise self.error(f"e_type is {ehdr.type:#x}, not ET_DYN", "give a vDSO, which is a shared object")
        if (ehdr.ehsize, ehdr.phentsize) != (EHDR.size, PHDR.size):
            raise self.error(f"e_ehsize {ehdr.ehsize:#x}, e_phentsize {ehdr.phentsize:#x}, not 0x40 and 0x38")
        return ehdr

    def segments(self, ehdr: Ehdr) -> tuple[Phdr, ...]:
        end = ehdr.phoff + ehdr.phnum * PHDR.size
        if ehdr.phoff < EHDR.size or end > len(self.file):
            raise self.error(f"truncated: program headers end at {end:#x}, the file at {len(self.file):#x}")
        phdrs = tuple(Phdr(*PHDR.unpack_from(self.file, ehdr.phoff + i * PHDR.size)) for i in range(ehdr.phnum))
        loads = [p for p in phdrs if p.type == elf.PT_LOAD]
        if len(loads) != 1:
            raise self.error(f"{len(loads)} PT_LOAD segments, not 1")
        load = loads[0]
        if phdrs[0] != load:
            raise self.error(f"PT_LOAD is program header {phdrs.index(load)}, not the first")
        if load.offset or load.vaddr or load.filesz != load.memsz or load.flags & elf.PF_W:
            raise self.error(
                f"PT_LOAD has offset {load.offset:#x}, address {load.vaddr:#x}, file size {load.filesz:#x}, "
                f"memory size {load.memsz:#x}, flags {load.flags:#x}, not 0, 0, two equal sizes and R-X"
            )
        if load.align > MOST_BYTES or load.align & load.align - 1:
            raise self.error(f"PT_LOAD has the alignment {load.align:#x}, no power of two up to {MOST_BYTES:#x}")
        if load.filesz > len(self.file) or load.filesz < end:
            raise self.error(f"truncated: PT_LOAD ends at {load.filesz:#x}, the file at {len(self.file):#x}")
        if load.filesz > MOST_BYTES:
            raise self.error(f"PT_LOAD has {load.filesz:#x} bytes (a vDSO has {MOST_BYTES:#x} at most)", "give a vDSO")
        for p in phdrs:
            if p.type in (elf.PT_INTERP, elf.PT_TLS):
                raise self.error(f"has a program header of type {p.type:#x}, which no vDSO has")
        for type in (elf.PT_DYNAMIC, elf.PT_NOTE, elf.PT_GNU_EH_FRAME):
            if sum(p.type == type for p in phdrs) > 1:
                raise self.error(f"has more than one program header of type {type:#x}")
        self.data = self.file[: load.filesz]
        return phdrs

    def dynamic(self, phdrs: tuple[Phdr, ...]) -> tuple[tuple[int, int], ...]:
        header = next((p for p in phdrs if p.type == elf.PT_DYNAMIC), None)
        if header is None:
            raise self.error("no PT_DYNAMIC")
        if header.offset != header.vaddr or header.filesz % DYN.size:
            raise self.error(f"PT_DYNAMIC at offset {header.offset:#x}, address {header.vaddr:#x}")
        entries = tuple(DYN.iter_unpack(self.bytes("PT_DYNAMIC", header.vaddr, header.filesz)))
        tags = [tag for tag, _ in entries]
        if elf.DT_NULL not in tags:
            raise self.error("PT_DYNAMIC has no DT_NULL")
        end = tags.index(elf.DT_NULL)
        if any(tags[end:]):
            raise self.error(f"PT_DYNAMIC goes on behind its DT_NULL, which is entry {end:#x}")
        twice = next((tag for tag in tags[:end] if tags.count(tag) > 1), None)
        if twice is not None:  # loaders differ in which one counts
            raise self.error(f"PT_DYNAMIC has the tag {twice:#x} twice")
        return entries

    def tables(self, tags: dict[int, int], phdrs: tuple[Phdr, ...]) -> dict[str, tuple[int, int]]:
        for tag, size in ((elf.DT_RELA, elf.DT_RELASZ), (elf.DT_REL, elf.DT_RELSZ), (elf.DT_RELR, elf.DT_RELRSZ)):
            if tags.get(tag) or tags.get(size):
                raise self.error(f"has relocations ({tags.get(size, 0):#x} bytes at {tags.get(tag, 0):#x})")
        if tags.get(elf.DT_JMPREL) or tags.get(elf.DT_TEXTREL):
            raise self.error("has relocations (DT_JMPREL or DT_TEXTREL)")
        needed = {"DT_STRTAB": elf.DT_STRTAB, "DT_STRSZ": elf.DT_STRSZ, "DT_SYMTAB": elf.DT_SYMTAB,
                  "DT_VERSYM": elf.DT_VERSYM, "DT_VERDEF": elf.DT_VERDEF, "DT_SONAME": elf.DT_SONAME}  # fmt: skip
        for name, tag in needed.items():
            if tag not in tags:
                raise self.error(f"PT_DYNAMIC has no {name}")
        if tags.get(elf.DT_SYMENT, SYM.size) != SYM.size:
            raise self.error(f"DT_SYMENT is {tags[elf.DT_SYMENT]:#x}, not {SYM.size:#x}")
        tables = {".dynstr": (tags[elf.DT_STRTAB], tags[elf.DT_STRSZ])}
        tables |= self.hashes(tags)
        count = self.symbol_count(tables)
        if count > MOST_SYMBOLS:
            raise self.error(f"has {count:#x} symbols (a vDSO has {MOST_SYMBOLS:#x} at most)", "give a vDSO")
        tables[".dynsym"] = (tags[elf.DT_SYMTAB], count * SYM.size)
        tables[".gnu.version"] = (tags[elf.DT_VERSYM], count * 2)
        tables[".gnu.version_d"] = (tags[elf.DT_VERDEF], self.verdef_size(tags))
        for name, type in ((".dynamic", elf.PT_DYNAMIC), (".note", elf.PT_NOTE), (".eh_frame_hdr", elf.PT_GNU_EH_FRAME)):
            for p in phdrs:
                if p.type == type:
                    tables[name] = (p.vaddr, p.filesz)
        if ".note" not in tables:
            raise self.error("no PT_NOTE, so no build-id could be told from another's")
        for name, (address, size) in tables.items():
            self.bytes(name, address, size)
        return tables

    def hashes(self, tags: dict[int, int]) -> dict[str, tuple[int, int]]:
        tables = {}
        if elf.DT_HASH in tags:
            at = tags[elf.DT_HASH]
            nbucket, nchain = struct.unpack("<II", self.bytes("DT_HASH", at, 8))
            tables[".hash"] = (at, 8 + 4 * (nbucket + nchain))
            self.bytes("DT_HASH", *tables[".hash"])
        if elf.DT_GNU_HASH in tags:
            at = tags[elf.DT_GNU_HASH]
            nbucket, first, words, _ = struct.unpack("<IIII", self.bytes("DT_GNU_HASH", at, 16))
            buckets = at + 16 + 8 * words
            heads = struct.unpack(f"<{nbucket}I", self.bytes("DT_GNU_HASH", buckets, 4 * nbucket))
            chains = buckets + 4 * nbucket
            last = max(heads, default=0)
            if last and last < first:
                raise self.error(f"DT_GNU_HASH: bucket {last:#x} lies before the first hashed symbol {first:#x}")
            while last and not self.bytes("DT_GNU_HASH", chains + 4 * (last - first), 4)[0] & 1:
                last += 1
            tables[".gnu.hash"] = (at, chains + 4 * max(0, last + 1 - first if last else 0) - at)
        if not tables:
            raise self.error("neither DT_HASH nor DT_GNU_HASH")
        return tables

    def symbol_count(self, tables: dict[str, tuple[int, int]]) -> int:
        """DT_HASH says it outright; it is also the end of the last chain of DT_GNU_HASH (Oracle's and glibc's way)."""
        counts = []
        if ".hash" in tables:
            counts.append(int.from_bytes(self.bytes("DT_HASH", tables[".hash"][0] + 4, 4), "little"))
        if ".gnu.hash" in tables:
            at, size = tables[".gnu.hash"]
            nbucket, first, words, _ = struct.unpack("<IIII", self.bytes("DT_GNU_HASH", at, 16))
            counts.append(first + (size - 16 - 8 * words - 4 * nbucket) // 4)
        if counts[0] != counts[-1]:
            raise self.error(f"DT_HASH is for {counts[0]:#x} symbols, DT_GNU_HASH for {counts[-1]:#x}")
        return counts[0]

    def definitions(self, tags: dict[int, int]) -> Iterator[tuple[int, list[tuple[int, int]]]]:
        """The version definitions (LSB core, "Version Definitions"): address, and (address, name) of each auxiliary entry."""
        at, number = tags[elf.DT_VERDEF], tags.get(elf.DT_VERDEFNUM, 0)
        if not 0 < number <= MOST_VERSIONS:
            raise self.error(f"DT_VERDEFNUM is {number:#x}, not between 1 and {MOST_VERSIONS:#x}")
        for left in range(number - 1, -1, -1):
            version, _, _, count, _, aux, following = struct.unpack("<HHHHIII", self.bytes("DT_VERDEF", at, 20))
            if version != 1:
                raise self.error(f"DT_VERDEF: vd_version {version:#x} at {at:#x}, not 1")
            if not 0 < count <= MOST_VERSIONS:
                raise self.error(f"DT_VERDEF: vd_cnt {count:#x} at {at:#x}, not between 1 and {MOST_VERSIONS:#x}")
            entries, entry = [], at + aux
            for _ in range(count):
                name, step = struct.unpack("<II", self.bytes("DT_VERDEF", entry, 8))
                entries.append((entry, name))
                entry += step
            yield at, entries
            if bool(following) != bool(left):
                raise self.error(f"DT_VERDEF: vd_next {following:#x} at {at:#x}, and DT_VERDEFNUM is {number:#x}")
            at += following

    def verdef_size(self, tags: dict[int, int]) -> int:
        """From the first definition to the end of what lies last."""
        ends = [end for at, entries in self.definitions(tags) for end in (at + 20, *(entry + 8 for entry, _ in entries))]
        return max(ends) - tags[elf.DT_VERDEF]

    def apart(self, ehdr: Ehdr, tables: dict[str, tuple[int, int]], symbols: tuple[Symbol, ...]) -> None:
        """No table lies on another one, on the headers or on a function: each is going to be written by itself."""
        parts = [(0, ehdr.phoff + ehdr.phnum * PHDR.size, "the headers")]
        parts += [(at, at + size, name) for name, (at, size) in tables.items() if size]
        parts.sort()
        for (_, end, first), (start, _, second) in itertools.pairwise(parts):
            if end > start:
                raise self.error(f"{first} ends at {end:#x}, and {second} begins at {start:#x}")
        for symbol in symbols:
            low, high = symbol.value, symbol.value + symbol.size
            for start, end, name in parts:
                if symbol.type == elf.STT_FUNC and symbol.shndx != elf.SHN_UNDEF and low < end and start < high:
                    raise self.error(f"{symbol.name} from {low:#x} to {high:#x} lies on {name} from {start:#x} to {end:#x}")

    def string(self, tables: dict[str, tuple[int, int]], offset: int) -> str:
        address, size = tables[".dynstr"]
        raw = self.data[address : address + size]
        end = raw.find(b"\0", offset)
        if not 0 <= offset < size or end < 0:
            raise self.error(f"a name at {offset:#x} leaves .dynstr of {size:#x} bytes")
        return raw[offset:end].decode("latin-1")  # a character a byte, whatever it is

    def symbols(self, tags: dict[int, int], tables: dict[str, tuple[int, int]]) -> tuple[Symbol, ...]:
        table = self.bytes("DT_SYMTAB", *tables[".dynsym"])
        versions = struct.unpack(f"<{len(table) // SYM.size}H", self.bytes("DT_VERSYM", *tables[".gnu.version"]))
        symbols: list[Symbol] = []
        for fields, version in zip(SYM.iter_unpack(table), versions, strict=True):
            raw = Sym(*fields)
            name = self.string(tables, raw.name)
            symbol = Symbol(name, raw.name, raw.info, raw.other, raw.shndx, raw.value, raw.size, version)
            if symbol.type == elf.STT_FUNC and raw.shndx != elf.SHN_UNDEF:
                self.bytes(f"symbol {name}", raw.value, raw.size)
            symbols.append(symbol)
        if symbols and any(table[: SYM.size]):
            raise self.error(f"symbol 0x0 is {symbols[0].name or 'not empty'}, which no loader looks at")
        for offset in (tags[elf.DT_SONAME], *(name for _, entries in self.definitions(tags) for _, name in entries)):
            self.string(tables, offset)
        return tuple(symbols)

    def notes(self, phdrs: tuple[Phdr, ...]) -> tuple[Note, ...]:
        header = next(p for p in phdrs if p.type == elf.PT_NOTE)
        raw = self.bytes("PT_NOTE", header.vaddr, header.filesz)
        notes, at = [], 0
        while at + NOTE.size <= len(raw):
            namesz, descsz, type = NOTE.unpack_from(raw, at)
            desc = at + NOTE.size + elf.align_up(namesz, 4)
            end = desc + elf.align_up(descsz, 4)
            if end > len(raw):
                raise self.error(f"PT_NOTE: a note at {header.vaddr + at:#x} ends at {header.vaddr + end:#x}, behind it")
            notes.append(Note(raw[at + NOTE.size :][:namesz], type, raw[desc : desc + descsz]))
            at = end
        return tuple(notes)

    def fdes(self, phdrs: tuple[Phdr, ...], tables: dict[str, tuple[int, int]]) -> tuple[unwind.Fde, ...]:
        header = next((p for p in phdrs if p.type == elf.PT_GNU_EH_FRAME), None)
        if header is None:
            return ()
        try:
            fdes, extent = unwind.read(self.data, header.vaddr, header.filesz)
        except (struct.error, IndexError, ValueError) as error:
            raise self.error(f"PT_GNU_EH_FRAME at {header.vaddr:#x}: {error}") from error
        tables[".eh_frame"] = extent
        return fdes

    def section_names(self, ehdr: Ehdr) -> tuple[str, ...]:
        """Names from the section table, if the file has a whole one: a memory dump has not."""
        if not ehdr.shoff or ehdr.shentsize != SHDR.size or ehdr.shstrndx >= ehdr.shnum:
            return ()
        if ehdr.shoff + ehdr.shnum * SHDR.size > len(self.file):
            return ()
        headers = [Shdr(*SHDR.unpack_from(self.file, ehdr.shoff + i * SHDR.size)) for i in range(ehdr.shnum)]
        strings = headers[ehdr.shstrndx]
        raw = self.file[strings.offset : strings.offset + strings.size]
        return tuple(raw[h.name :].partition(b"\0")[0].decode("ascii", "backslashreplace") for h in headers if h.size)
