# SPDX-License-Identifier: MIT
"""Rules on the section table, which bionic, LLVM libc and gdb read in the mapped memory, and binutils in the file."""

from __future__ import annotations

from collections.abc import Iterator

from ...elf.elf64 import SHDR, SHF_ALLOC, SYM
from ..model import Section, Subject
from ..rule import BINUTILS, BIONIC, GDB, LLVM_LIBC, UNWINDERS, rule

TABLES = {
    "SHT_DYNSYM": "DT_SYMTAB",
    "SHT_HASH": "DT_HASH",
    "SHT_GNU_HASH": "DT_GNU_HASH",
    "SHT_GNU_versym": "DT_VERSYM",
    "SHT_GNU_verdef": "DT_VERDEF",
}


@rule(
    "section-table",
    (BIONIC, "finds nothing"),
    (LLVM_LIBC, "finds nothing"),
    (GDB, "finds no notes and no symbols"),
    (BINUTILS, "show no code"),
)
def section_table(s: Subject) -> Iterator[str]:
    """There is a section table, inside the bytes that are mapped.

    bionic libc/bionic/vdso.cpp and LLVM libc/src/__support/OSUtil/linux/vdso.cpp go through e_shoff and e_shnum in memory;
    gdb symfile-mem.c reads all of it there.
    """
    header = s.header
    end = header.shoff + header.shnum * SHDR.size
    if header.shoff == 0 or header.shnum == 0:
        yield "no section table"
    elif end > len(s.image):
        yield f"section table from 0x{header.shoff:x} to 0x{end:x}, the file ends at 0x{len(s.image):x}"
    elif end > s.mapped:
        yield f"section table from 0x{header.shoff:x} to 0x{end:x}, the pages of the image end at 0x{s.mapped:x}"


@rule("e-shentsize", (BINUTILS, "reject the section table"), (GDB, "rejects the section table"))
def e_shentsize(s: Subject) -> Iterator[str]:
    """e_shentsize is exact where there is a table. bfd/elfcode.h, elf_object_p."""
    if s.header.shnum and s.header.shentsize != SHDR.size:
        yield f"e_shentsize is 0x{s.header.shentsize:x}, not 0x{SHDR.size:x}"


@rule("section-names", (BINUTILS, "warn"), (GDB, "knows sections by their names"))
def section_names(s: Subject) -> Iterator[str]:
    """e_shstrndx names a string table that has every section's name. gABI, "Section Header"."""
    unnamed = [i for i, section in enumerate(s.sections or ()) if section.name is None]
    if unnamed:
        yield f"section 0x{unnamed[0]:x} has no name in string table 0x{s.header.shstrndx:x}"


@rule("sections-inside", (BINUTILS, "warn"), (GDB, "reads beyond the file"))
def sections_inside(s: Subject) -> Iterator[str]:
    """Sections lie inside the file, allocated ones inside the load, with their offset as address.

    gABI, "Section Header".
    """
    for section in s.sections or ():
        if section.type in ("SHT_NULL", "SHT_NOBITS"):
            continue
        end = section.offset + section.size
        if end > len(s.image):
            yield f"section {section.name} from 0x{section.offset:x} to 0x{end:x}, the file ends at 0x{len(s.image):x}"
        elif section.flags & SHF_ALLOC and (section.addr != section.offset or end > s.size):
            place = f"at address 0x{section.addr:x}, offset 0x{section.offset:x} to 0x{end:x}"
            yield f"section {section.name} {place}, the load ends at 0x{s.size:x}"


@rule("section-dynsym", (BIONIC, "finds nothing"), (LLVM_LIBC, "finds nothing"))
def section_dynsym(s: Subject) -> Iterator[str]:
    """One SHT_DYNSYM, of 24-byte entries for every symbol, whose sh_link is the string table.

    bionic libc/bionic/vdso.cpp, __libc_init_vdso: it compares names only.
    """
    if s.sections is None:
        return
    found = [section for section in s.sections if section.type == "SHT_DYNSYM"]
    if len(found) != 1:
        yield f"{len(found)} sections SHT_DYNSYM, must be one"
        return
    (dynsym,) = found
    linked = s.sections[dynsym.link] if dynsym.link < len(s.sections) else None
    if dynsym.entsize != SYM.size:
        yield f"sh_entsize of {dynsym.name} is 0x{dynsym.entsize:x}, not 0x{SYM.size:x}"
    if s.symbols is not None and dynsym.size != len(s.symbols) * SYM.size:
        size = len(s.symbols) * SYM.size
        yield f"{dynsym.name} has 0x{dynsym.size:x} bytes, {len(s.symbols)} symbols take 0x{size:x}"
    if linked is None or linked.type != "SHT_STRTAB" or _elsewhere(s, linked, "DT_STRTAB"):
        yield f"sh_link of {dynsym.name} is 0x{dynsym.link:x}, which is not the string table of DT_STRTAB"


def _elsewhere(s: Subject, section: Section, tag: str) -> bool:
    at = s.tag(tag)
    return at is not None and s.inside(at) and at != section.addr


@rule("sections-agree", (BINUTILS, "show other tables than programs use"), (BIONIC, "reads another table than the others"))
def sections_agree(s: Subject) -> Iterator[str]:
    """The sections of the dynamic tables lie where PT_DYNAMIC says. readelf reads the one, readelf -D the other."""
    for section in s.sections or ():
        tag = TABLES.get(str(section.type))
        if tag is not None and _elsewhere(s, section, tag):
            yield f"section {section.name} at 0x{section.addr:x}, {tag} is 0x{s.tag(tag) or 0:x}"
        if section.type == "SHT_DYNAMIC":
            for segment in s.of_type("PT_DYNAMIC")[:1]:
                if s.inside(segment.vaddr, segment.memsz) and section.addr != segment.vaddr:
                    yield f"section {section.name} at 0x{section.addr:x}, PT_DYNAMIC is at 0x{segment.vaddr:x}"


@rule("section-note", (GDB, "finds no build-id in memory"))
def section_note(s: Subject) -> Iterator[str]:
    """Each PT_NOTE is covered by a section SHT_NOTE.

    gdb finds notes through the section table that it reads in memory.
    """
    for segment in s.of_type("PT_NOTE"):
        notes = [section for section in s.sections or () if section.type == "SHT_NOTE"]
        if s.sections is not None and not any(n.addr <= segment.vaddr < n.addr + n.size for n in notes):
            yield f"no section SHT_NOTE holds PT_NOTE at 0x{segment.vaddr:x}"


@rule("section-frames", (UNWINDERS, "that go by sections, as perf with libunwind does, find no unwind information"))
def section_frames(s: Subject) -> Iterator[str]:
    """PT_GNU_EH_FRAME is a section .eh_frame_hdr too.

    perf tools/perf/util/unwind-libunwind-local.c asks for the section of that name, and for its address and offset.
    """
    named = {section.name: section.addr for section in s.sections or ()}
    for segment in s.of_type("PT_GNU_EH_FRAME"):
        known = None not in named and s.inside(segment.vaddr)
        if known and s.sections is not None and named.get(".eh_frame_hdr") != segment.vaddr:
            place = f"is at 0x{named['.eh_frame_hdr']:x}" if ".eh_frame_hdr" in named else "is not there"
            yield f"section .eh_frame_hdr {place}, PT_GNU_EH_FRAME is at 0x{segment.vaddr:x}"


@rule(
    "no-old-symbols",
    (BINUTILS, "show places of the base, which are gone"),
    (GDB, "shows places of the base, which are gone"),
)
def no_old_symbols(s: Subject) -> Iterator[str]:
    """An image of ours has no SHT_SYMTAB: .symtab of the base names code that was moved or overwritten.

    docs/how-it-works.md#splice.
    """
    for section in s.sections or ():
        if s.ours and section.type == "SHT_SYMTAB":
            yield f"section {section.name} at offset 0x{section.offset:x}"
