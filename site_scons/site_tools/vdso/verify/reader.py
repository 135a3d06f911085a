# SPDX-License-Identifier: MIT
"""Reads an image into a `Subject` with pyelftools, which took no part in making the image: the second parser.

pyelftools reads the header and the records. The tables are walked here, with bounds, since `check` takes any file.
"""

from __future__ import annotations

import io
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from elftools.common.utils import struct_parse
from elftools.elf.elffile import ELFFile
from elftools.elf.notes import iter_notes

from ..arch.arch import Arch
from ..elf import our_note
from ..elf.elf64 import PAGE, SYM
from ..image.analysis import analyse
from .frames import parse_frames
from .identity import MOST_SYMBOLS
from .model import Beside, GnuHash, Header, Name, Note, Section, Segment, Subject, Symbol, SysvHash, Version, Versions, string

T = TypeVar("T")
MOST_VERSIONS = 64


def open_elf(image: bytes) -> ELFFile | str:
    """Return the image as pyelftools sees it, or the reason why pyelftools can't read it."""
    try:
        return ELFFile(io.BytesIO(image))
    except Exception as problem:  # pyelftools lets any error of its parser through: each means that the bytes are no ELF file
        return " ".join(str(problem).split()) or type(problem).__name__


def _attempt(parse: Callable[[], T]) -> T | None:
    try:
        return parse()
    except Exception:  # as in open_elf; a rule says what is missing
        return None


def _record(elffile: ELFFile, form: Any, at: int) -> Any:
    """Return the record of `form` at offset `at`, None when it does not lie in the file."""
    try:
        return struct_parse(form, elffile.stream, at)
    except Exception:  # as in open_elf
        return None


def read_subject(image: bytes, elffile: ELFFile, arch: Arch, beside: Beside | None) -> Subject:
    """Return the Subject of a 64-bit little-endian image. Never raises: what can't be read is None in it."""
    raw = elffile.header
    header = Header(
        type=raw["e_type"], osabi=image[7], abiversion=image[8], version=raw["e_version"], ehsize=raw["e_ehsize"],
        phentsize=raw["e_phentsize"], phoff=raw["e_phoff"], phnum=raw["e_phnum"], shoff=raw["e_shoff"],
        shentsize=raw["e_shentsize"], shnum=raw["e_shnum"], shstrndx=raw["e_shstrndx"],
    )  # fmt: skip
    segments = _segments(elffile, header)
    sections = _attempt(lambda: _sections(image, elffile, header))
    dynamic, terminated = _attempt(lambda: _dynamic(elffile, segments)) or (None, False)
    tags = dict(dynamic or ())
    sysv = _sysv(image, tags.get("DT_HASH"))
    gnu = _gnu(image, tags.get("DT_GNU_HASH"))
    count = _count(image, sysv, gnu, sections)
    symbols = _attempt(lambda: _symbols(image, elffile, tags, count))
    notes = _attempt(lambda: _notes(image, elffile, segments))
    names = [(note.owner.encode("latin-1", "replace") + b"\0", note.type) for note in notes or ()]
    ours = [name for name, kind in names if our_note.marks_image(name, kind)]
    mark = our_note.read(ours[0]) if ours else None
    frames = next((parse_frames(image, s.vaddr) for s in segments if s.type == "PT_GNU_EH_FRAME"), None)
    loads = [segment for segment in segments if segment.type == "PT_LOAD"]
    code = image[: loads[0].memsz] if loads else image
    subject = Subject(
        image=image, arch=arch, ours=bool(ours), data_offset=mark.data_offset or None if mark else None, data=(),
        announced=bool(ours) or beside is not None, layout=mark.layout if mark else None,
        counter_offset=mark.counter_offset or None if mark else None,
        header=header, segments=segments, sections=sections, dynamic=dynamic, terminated=terminated, symbols=symbols,
        sysv=sysv, gnu=gnu, versions=_attempt(lambda: _versions(image, elffile, tags)),
        versym=_versym(image, tags.get("DT_VERSYM"), count), notes=notes, frames=frames, functions=(),
    )  # fmt: skip
    subject = replace(subject, data=_data(subject, beside))
    if len(subject.symbols or ()) > MOST_SYMBOLS:
        return subject  # `identity.too_many` is all that will be said of it
    functions = tuple(
        (symbol, analyse(code, symbol.value, arch))
        for symbol in subject.exports
        if symbol.defined and symbol.type == "STT_FUNC" and 0 < symbol.value < len(code)
    )
    return replace(subject, functions=functions)


def _data(subject: Subject, beside: Beside | None) -> tuple[tuple[int, int], ...]:
    """Return where pages of the kernel lie: as the user says, else as our note does."""
    if beside is None:
        return () if subject.data_offset is None else ((subject.data_offset, subject.data_offset + PAGE),)
    before, after = (-beside.before * PAGE, 0), (subject.pages, subject.pages + beside.after * PAGE)
    return tuple((start, end) for start, end in (before, after) if start < end)


def _segments(elffile: ELFFile, header: Header) -> tuple[Segment, ...]:
    """Return those that can be read, 56 bytes apart: all consumers but musl count so, and a rule compares e_phentsize."""
    form = elffile.structs.Elf_Phdr
    segments: list[Segment] = []
    for i in range(header.phnum):
        raw = _record(elffile, form, header.phoff + i * form.sizeof())
        if raw is None:
            break
        segments.append(
            Segment(raw["p_type"], raw["p_flags"], raw["p_offset"], raw["p_vaddr"], raw["p_filesz"], raw["p_memsz"])
        )
    return tuple(segments)


def _sections(image: bytes, elffile: ELFFile, header: Header) -> tuple[Section, ...] | None:
    form = elffile.structs.Elf_Shdr
    if header.shoff == 0 or header.shnum == 0 or header.shoff + header.shnum * form.sizeof() > len(image):
        return None
    raws: list[Any] = [struct_parse(form, elffile.stream, header.shoff + i * form.sizeof()) for i in range(header.shnum)]
    names = raws[header.shstrndx] if header.shstrndx < len(raws) else None
    return tuple(
        Section(
            None if names is None else string(image, names["sh_offset"], names["sh_size"], raw["sh_name"]),
            raw["sh_type"], raw["sh_flags"], raw["sh_addr"], raw["sh_offset"], raw["sh_size"], raw["sh_link"],
            raw["sh_entsize"],
        )
        for raw in raws
    )  # fmt: skip


def _dynamic(elffile: ELFFile, segments: tuple[Segment, ...]) -> tuple[tuple[tuple[Name, int], ...], bool] | None:
    """Return the entries at p_vaddr, where glibc looks, up to DT_NULL or the segment's end; and whether DT_NULL was there."""
    segment = next((segment for segment in segments if segment.type == "PT_DYNAMIC"), None)
    if segment is None:
        return None
    form = elffile.structs.Elf_Dyn
    entries: list[tuple[Name, int]] = []
    for i in range(min(segment.memsz, elffile.stream_len) // form.sizeof()):
        raw: Any = struct_parse(form, elffile.stream, segment.vaddr + i * form.sizeof())
        if raw["d_tag"] == "DT_NULL":
            return tuple(entries), True
        entries.append((raw["d_tag"], raw["d_val"]))
    return tuple(entries), False


def _sysv(image: bytes, at: int | None) -> SysvHash | None:
    if at is None or not 0 <= at <= len(image) - 8:
        return None
    nbucket, nchain = struct.unpack_from("<II", image, at)
    if at + 8 + 4 * nbucket > len(image):
        return None
    return SysvHash(nbucket, nchain, at + 8, at + 8 + 4 * nbucket)


def _gnu(image: bytes, at: int | None) -> GnuHash | None:
    if at is None or not 0 <= at <= len(image) - 16:
        return None
    nbuckets, symoffset, bloom_size, bloom_shift = struct.unpack_from("<IIII", image, at)
    buckets = at + 16 + 8 * bloom_size
    return GnuHash(nbuckets, symoffset, bloom_size, bloom_shift, at + 16, buckets, buckets + 4 * nbuckets)


def _gnu_count(image: bytes, gnu: GnuHash) -> int | None:
    """Return one more than the last symbol's index, which is found from the highest bucket along its chain to the end bit."""
    if gnu.chains > len(image) or gnu.nbuckets == 0:
        return None
    last: int = max(struct.unpack_from(f"<{gnu.nbuckets}I", image, gnu.buckets))
    if last < gnu.symoffset:
        return gnu.symoffset
    at = gnu.chains + 4 * (last - gnu.symoffset)
    while at <= len(image) - 4:
        last += 1
        if image[at] & 1:
            return last
        at += 4
    return None


def _count(image: bytes, sysv: SysvHash | None, gnu: GnuHash | None, sections: tuple[Section, ...] | None) -> int | None:
    """Return how many entries the symbol table has. No field of ELF says it; four tables imply it, and most are believed."""
    votes = [sysv.nchain if sysv else None, _gnu_count(image, gnu) if gnu else None]
    for kind, size in (("SHT_DYNSYM", SYM.size), ("SHT_GNU_versym", 2)):
        votes += [section.size // size for section in sections or () if section.type == kind][:1]
    most = len(image) // SYM.size
    tally = Counter(vote for vote in votes if vote is not None and vote <= most)
    return max(tally, key=lambda vote: tally[vote]) if tally else None


def _symbols(image: bytes, elffile: ELFFile, tags: dict[Name, int], count: int | None) -> tuple[Symbol, ...] | None:
    symtab, strtab, strsz = tags.get("DT_SYMTAB"), tags.get("DT_STRTAB"), tags.get("DT_STRSZ")
    if symtab is None or strtab is None or strsz is None or count is None or strtab >= len(image):
        return None
    symbols = []
    for index in range(count):
        raw: Any = struct_parse(elffile.structs.Elf_Sym, elffile.stream, symtab + index * SYM.size)
        name = string(image, strtab, strsz, raw["st_name"])
        info = raw["st_info"]
        symbols.append(Symbol(index, name, info["type"], info["bind"], raw["st_shndx"], raw["st_value"], raw["st_size"]))
    return tuple(symbols)


def _versions(image: bytes, elffile: ELFFile, tags: dict[Name, int]) -> Versions | None:
    at, strtab, strsz = tags.get("DT_VERDEF"), tags.get("DT_STRTAB"), tags.get("DT_STRSZ")
    if at is None or strtab is None or strsz is None or at >= len(image) or strtab >= len(image):
        return None
    structs = elffile.structs
    found: list[Version] = []
    while len(found) < MOST_VERSIONS:
        raw = _record(elffile, structs.Elf_Verdef, at)
        if raw is None:
            return Versions(tuple(found), f"vd_next leads to 0x{at:x}, outside of the file")
        names: list[str | None] = []
        aux = at + raw["vd_aux"]
        for _name in range(min(raw["vd_cnt"], MOST_VERSIONS)):
            entry = _record(elffile, structs.Elf_Verdaux, aux)
            names.append(None if entry is None else string(image, strtab, strsz, entry["vda_name"]))
            if entry is None or entry["vda_next"] == 0:
                break
            aux += entry["vda_next"]
        found.append(
            Version(at, raw["vd_version"], bool(raw["vd_flags"] & 1), raw["vd_ndx"] & 0x7FFF, raw["vd_hash"], tuple(names))
        )
        if raw["vd_next"] == 0:
            return Versions(tuple(found), "")
        at += raw["vd_next"]
    return Versions(tuple(found), f"more than 0x{MOST_VERSIONS:x} definitions along vd_next")


def _versym(image: bytes, at: int | None, count: int | None) -> tuple[int, ...] | None:
    if at is None or count is None or not 0 <= at <= len(image) - 2 * count:
        return None
    return struct.unpack_from(f"<{count}H", image, at)


def _notes(image: bytes, elffile: ELFFile, segments: tuple[Segment, ...]) -> tuple[Note, ...]:
    """Return the notes of every PT_NOTE. ValueError when one leaves its segment, which pyelftools does not check."""
    notes: list[Note] = []
    for segment in segments:
        if segment.type == "PT_NOTE":
            for note in iter_notes(elffile, segment.vaddr, min(segment.memsz, elffile.stream_len)):
                if note["n_offset"] + note["n_size"] > segment.vaddr + segment.memsz:
                    raise ValueError(f"note at 0x{note['n_offset']:x}")
                # pyelftools names types as if every owner were GNU
                (kind,) = struct.unpack_from("<I", image, note["n_offset"] + 8)
                notes.append(Note(note["n_name"] or "", kind, bytes(note["n_descdata"])))
    return tuple(notes)
