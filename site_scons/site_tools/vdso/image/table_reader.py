# SPDX-License-Identifier: MIT
"""Reads the tables that PT_DYNAMIC and the program headers name. Each function raises VdsoError for a malformed table."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator, Mapping, Sequence

from ..arch.arch import Arch, Entry
from ..elf import elf64
from ..elf.elf64 import DYN, RELA, SYM, Phdr, Shdr, Sym
from ..elf.limits import MOST_SYMBOLS
from ..elf.unwind import Fde, read_frames
from ..ranges import Span, align_up
from .load import Load
from .model import NOTE, Note, Symbol

MOST_VERSIONS = 0x10  # definitions, and names of one: Linux's own have two, of a name each

NOTES = ".note"
"""The first PT_NOTE; a number follows in the names of others."""

Tags = Mapping[int, int]
Tables = Mapping[str, Span]


def read_dynamic(load: Load, phdrs: Sequence[Phdr], sections: Sequence[Shdr]) -> tuple[tuple[int, int], ...]:
    """Return the (tag, value) pairs up to DT_NULL, and the spare ones behind it: entries of zeros.

    PT_DYNAMIC often covers more. Where the linker script names no segment for the section behind .dynamic, that one is in
    PT_DYNAMIC too: .rodata in Linux 6.8 to 6.14 (mended by e0eb1b6b0cd2), what lld lays there in 6.1. Every loader stops at
    DT_NULL, so what follows is not the table's, and where a section says how far the table goes, zeros behind that are not.
    DT_NULL must be in what the header has in memory too: rustix and the proof read no further.
    """
    header = next((p for p in phdrs if p.type == elf64.PT_DYNAMIC), None)
    if header is None:
        raise load.error("no PT_DYNAMIC")
    if header.offset != header.vaddr:
        raise load.error(f"PT_DYNAMIC has offset {header.offset:#x} and address {header.vaddr:#x}, which must be equal")
    covered = load.bytes("PT_DYNAMIC", Span(header.vaddr, header.filesz))[: header.memsz]
    entries = list(DYN.iter_unpack(covered[: len(covered) // DYN.size * DYN.size]))
    tags = [tag for tag, _ in entries]
    if elf64.DT_NULL not in tags:
        raise load.error(f"PT_DYNAMIC has no DT_NULL among its {len(tags)} entries")
    end = tags.index(elf64.DT_NULL)
    twice = next((tag for tag in tags[:end] if tags.count(tag) > 1), None)
    if twice is not None:  # loaders differ in which one counts
        raise load.error(f"PT_DYNAMIC has the tag {twice:#x} twice")
    known = (s.size // DYN.size for s in sections if s.type == elf64.SHT_DYNAMIC and s.addr == header.vaddr)
    spare = itertools.takewhile(lambda entry: not any(entry), entries[end + 1 : next(known, None)])
    return (*entries[:end], (elf64.DT_NULL, 0), *spare)


def find_tables(load: Load, tags: Tags, phdrs: Sequence[Phdr], entries: int) -> dict[str, Span]:
    """Return where each table lies that `tags`, those of PT_DYNAMIC, or program headers name.

    entries     how many PT_DYNAMIC has
    """
    needed = {"DT_STRTAB": elf64.DT_STRTAB, "DT_STRSZ": elf64.DT_STRSZ, "DT_SYMTAB": elf64.DT_SYMTAB,
              "DT_VERSYM": elf64.DT_VERSYM, "DT_VERDEF": elf64.DT_VERDEF, "DT_SONAME": elf64.DT_SONAME}  # fmt: skip
    for name, tag in needed.items():
        if tag not in tags:
            raise load.error(f"PT_DYNAMIC has no {name}")
    if tags.get(elf64.DT_SYMENT, SYM.size) != SYM.size:
        raise load.error(f"DT_SYMENT is {tags[elf64.DT_SYMENT]:#x}, not {SYM.size:#x}")
    found = {".dynstr": Span(tags[elf64.DT_STRTAB], tags[elf64.DT_STRSZ]), **_hash_tables(load, tags)}
    count = _symbol_count(load, found)
    if count > MOST_SYMBOLS:
        raise load.error(f"has {count} symbols (a vDSO has {MOST_SYMBOLS} at most)", "give a vDSO")
    found[".dynsym"] = Span(tags[elf64.DT_SYMTAB], count * SYM.size)
    found[".gnu.version"] = Span(tags[elf64.DT_VERSYM], count * 2)
    found[".gnu.version_d"] = _definitions_span(load, tags)
    found[".dynamic"] = next(Span(p.vaddr, entries * DYN.size) for p in phdrs if p.type == elf64.PT_DYNAMIC)
    for p in phdrs:
        if p.type == elf64.PT_GNU_EH_FRAME:
            found[".eh_frame_hdr"] = Span(p.vaddr, p.filesz)
    for number, p in enumerate(p for p in phdrs if p.type == elf64.PT_NOTE):
        found[f"{NOTES} {number}" if number else NOTES] = Span(p.vaddr, p.filesz)
    for name, span in found.items():
        load.bytes(name, span)
    return found


def read_relocated(load: Load, tags: Tags) -> tuple[Span, ...]:
    """Return the words that wait for a relocation. Nobody makes one: a vDSO is mapped as it is.

    Linux 6.1 without jump labels has such a word, and only its clock reads it. So it is no matter where all that stays reads
    none of them (policy/decide.py). Words of code or of a PLT are code that can't run.
    """
    for tag, size in ((elf64.DT_REL, elf64.DT_RELSZ), (elf64.DT_RELR, elf64.DT_RELRSZ)):
        if tags.get(tag) or tags.get(size):
            raise load.error(f"has relocations of another form ({tags.get(size, 0):#x} bytes at {tags.get(tag, 0):#x})")
    if tags.get(elf64.DT_JMPREL) or tags.get(elf64.DT_TEXTREL):
        raise load.error("has relocations of code (DT_JMPREL or DT_TEXTREL)")
    table = Span(tags.get(elf64.DT_RELA, 0), tags.get(elf64.DT_RELASZ, 0))
    if table.size % RELA.size or tags.get(elf64.DT_RELAENT, RELA.size) != RELA.size:
        raise load.error(
            f"DT_RELASZ is {table.size:#x}, DT_RELAENT {tags.get(elf64.DT_RELAENT, 0):#x} (entries have 0x18 bytes)"
        )
    words = [Span(offset, 8) for offset, _info, _addend in RELA.iter_unpack(load.bytes("DT_RELA", table))]
    for word in words:
        load.bytes("a word with a relocation", word)
    return tuple(words)


def read_patched(load: Load, sections: Sequence[Shdr], arch: Arch) -> tuple[Span, ...]:
    """Return the code that Linux patches at boot, by the entries in `sections`, which are the architecture's list of it.

    Nothing but the size of a list tells which form its entries have. In the wrong one the distances lead anywhere.
    """
    found: list[Span] = []
    for section in sections:
        forms = (_patched(load, section, entry) for entry in arch.alternatives.entries)
        places = next((places for places in forms if places is not None), None)
        if places is None:
            raise load.error(f"{arch.alternatives.section} of {section.size:#x} bytes has entries of no form that is known")
        found += places
    return tuple(found)


def _patched(load: Load, section: Shdr, entry: Entry) -> list[Span] | None:
    """Return the code of the entries in `section`; None where they have another form than `entry`."""
    size = struct.calcsize(entry.form)
    if section.size % size or section.addr + section.size > len(load.data):
        return None
    places = []
    for at in range(section.addr, section.addr + section.size, size):
        fields = struct.unpack_from(entry.form, load.data, at)
        places.append(Span(at + fields[0], fields[entry.size_at]))
    return places if all(place.start >= 0 and place.end <= len(load.data) for place in places) else None


def _hash_tables(load: Load, tags: Tags) -> dict[str, Span]:
    """Return where DT_HASH and DT_GNU_HASH lie, of which there is at least one."""
    found = {}
    if elf64.DT_HASH in tags:
        at = tags[elf64.DT_HASH]
        nbucket, nchain = struct.unpack("<II", load.bytes("DT_HASH", Span(at, 8)))
        found[".hash"] = Span(at, 8 + 4 * (nbucket + nchain))
        load.bytes("DT_HASH", found[".hash"])
    if elf64.DT_GNU_HASH in tags:
        at = tags[elf64.DT_GNU_HASH]
        nbucket, first, words, _ = struct.unpack("<IIII", load.bytes("DT_GNU_HASH", Span(at, 16)))
        buckets = at + 16 + 8 * words
        heads = struct.unpack(f"<{nbucket}I", load.bytes("DT_GNU_HASH", Span(buckets, 4 * nbucket)))
        chains = buckets + 4 * nbucket
        last = max(heads, default=0)
        if last and last < first:
            raise load.error(f"DT_GNU_HASH: bucket {last:#x} lies before the first hashed symbol {first:#x}")
        while last and not load.bytes("DT_GNU_HASH", Span(chains + 4 * (last - first), 4))[0] & 1:
            last += 1
        found[".gnu.hash"] = Span.between(at, chains + 4 * max(0, last + 1 - first if last else 0))
    if not found:
        raise load.error("neither DT_HASH nor DT_GNU_HASH")
    return found


def _symbol_count(load: Load, found: Tables) -> int:
    """Return the number of symbols: nchain of DT_HASH, or the end of the last chain of DT_GNU_HASH; both must agree."""
    counts = []
    if ".hash" in found:
        counts.append(int.from_bytes(load.bytes("DT_HASH", Span(found[".hash"].start + 4, 4)), "little"))
    if ".gnu.hash" in found:
        table = found[".gnu.hash"]
        nbucket, first, words, _ = struct.unpack("<IIII", load.bytes("DT_GNU_HASH", Span(table.start, 16)))
        counts.append(first + (table.size - 16 - 8 * words - 4 * nbucket) // 4)
    if counts[0] != counts[-1]:
        raise load.error(f"DT_HASH is for {counts[0]} symbols, DT_GNU_HASH for {counts[-1]}")
    return counts[0]


def _definitions(load: Load, tags: Tags) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Yield the version definitions (LSB core, "Version Definitions"): address, and (address, name) of each auxiliary entry."""
    at, number = tags[elf64.DT_VERDEF], tags.get(elf64.DT_VERDEFNUM, 0)
    if not 0 < number <= MOST_VERSIONS:
        raise load.error(f"DT_VERDEFNUM is {number}, not between 1 and {MOST_VERSIONS}")
    for left in range(number - 1, -1, -1):
        version, _, _, count, _, aux, following = struct.unpack("<HHHHIII", load.bytes("DT_VERDEF", Span(at, 20)))
        if version != 1:
            raise load.error(f"DT_VERDEF: vd_version {version:#x} at {at:#x}, not 1")
        if not 0 < count <= MOST_VERSIONS:
            raise load.error(f"DT_VERDEF: vd_cnt {count:#x} at {at:#x}, not between 1 and {MOST_VERSIONS:#x}")
        entries, entry = [], at + aux
        for _ in range(count):
            name, step = struct.unpack("<II", load.bytes("DT_VERDEF", Span(entry, 8)))
            entries.append((entry, name))
            entry += step
        yield at, entries
        if bool(following) != bool(left):
            raise load.error(f"DT_VERDEF: vd_next {following:#x} at {at:#x}, and DT_VERDEFNUM is {number:#x}")
        at += following


def _definitions_span(load: Load, tags: Tags) -> Span:
    """Return the span from the first version definition to the end of the last entry."""
    ends = [end for at, entries in _definitions(load, tags) for end in (at + 20, *(entry + 8 for entry, _ in entries))]
    return Span.between(tags[elf64.DT_VERDEF], max(ends))


def _string(load: Load, found: Tables, offset: int) -> str:
    """Return the string at `offset` of .dynstr."""
    raw = load.bytes(".dynstr", found[".dynstr"])
    end = raw.find(b"\0", offset)
    if not 0 <= offset < len(raw) or end < 0:
        raise load.error(f"a name at {offset:#x} leaves .dynstr of {len(raw):#x} bytes")
    return raw[offset:end].decode("latin-1")  # a character a byte, whatever it is


def read_symbols(load: Load, tags: Tags, found: Tables) -> tuple[Symbol, ...]:
    """Return the entries of .dynsym, and check all other names that .dynstr must hold."""
    table = load.bytes("DT_SYMTAB", found[".dynsym"])
    versions = struct.unpack(f"<{len(table) // SYM.size}H", load.bytes("DT_VERSYM", found[".gnu.version"]))
    read: list[Symbol] = []
    for fields, version in zip(SYM.iter_unpack(table), versions, strict=True):
        raw = Sym(*fields)
        name = _string(load, found, raw.name)
        symbol = Symbol(name, raw.name, raw.info, raw.other, raw.shndx, raw.value, raw.size, version)
        if symbol.callable:
            load.bytes(f"symbol {name}", symbol.span)
        read.append(symbol)
    if read and any(table[: SYM.size]):
        raise load.error(f"symbol 0x0 is {read[0].name or 'not empty'}, which no loader looks at")
    for offset in (tags[elf64.DT_SONAME], *(name for _, entries in _definitions(load, tags) for _, name in entries)):
        _string(load, found, offset)
    return tuple(read)


def read_notes(load: Load, found: Tables) -> tuple[Note, ...]:
    """Return the notes of every PT_NOTE."""
    spans = [span for name, span in found.items() if name.startswith(NOTES)]
    return tuple(note for span in spans for note in _notes(load, span))


def _notes(load: Load, span: Span) -> Iterator[Note]:
    """Yield the notes of a PT_NOTE.

    An owner ends with a NUL (gABI, "Note Section"). Some makers write more of them, which parsers pass over.
    """
    raw = load.bytes("PT_NOTE", span)
    at = 0
    while at + NOTE.size <= len(raw):
        namesz, descsz, kind = NOTE.unpack_from(raw, at)
        desc = at + NOTE.size + align_up(namesz, 4)
        end = desc + align_up(descsz, 4)
        if end > len(raw):
            raise load.error(f"PT_NOTE: a note at {span.start + at:#x} ends at {span.start + end:#x}, behind it")
        name = raw[at + NOTE.size :][:namesz]
        owner, nul, rest = name.partition(b"\0")
        if name and (not nul or rest.strip(b"\0")):
            raise load.error(
                f"PT_NOTE: the owner of the note at {span.start + at:#x} is {name[:32].hex()}, no string with a NUL at its end"
            )
        yield Note(owner + nul, kind, raw[desc : desc + descsz])
        at = end


def read_fdes(load: Load, found: Tables) -> tuple[tuple[Fde, ...], dict[str, Span]]:
    """Return the FDEs that PT_GNU_EH_FRAME lists, and where .eh_frame lies; nothing where there is no such header."""
    if ".eh_frame_hdr" not in found:
        return (), {}
    header = found[".eh_frame_hdr"]
    try:
        read, extent = read_frames(load.data, header)
    except (struct.error, IndexError, ValueError) as error:
        raise load.error(f"PT_GNU_EH_FRAME at {header.start:#x}: {error}") from error
    return read, {".eh_frame": extent}


def refuse_overlaps(load: Load, headers: Span, found: Tables, read: tuple[Symbol, ...]) -> None:
    """Refuse a table that overlaps another table, the headers or a function: the splice writes each of them by itself."""
    parts = sorted([(headers, "the headers"), *((span, name) for name, span in found.items() if span.size)])
    for (span, name), (after, second) in itertools.pairwise(parts):
        if span.end > after.start:
            raise load.error(f"{name} ends at {span.end:#x}, and {second} begins at {after.start:#x}")
    for symbol in read:
        function = symbol.span
        for span, name in parts:
            if symbol.callable and function.overlaps(span):
                raise load.error(
                    f"{symbol.name} from {function.start:#x} to {function.end:#x} "
                    f"lies on {name} from {span.start:#x} to {span.end:#x}"
                )
