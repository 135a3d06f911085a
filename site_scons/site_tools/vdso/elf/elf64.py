# SPDX-License-Identifier: MIT
"""The parts of ELF64 little-endian that a vDSO is made of: constants and records, named as the ELF specification does.

Sources: the System V gABI (chapters 4 and 5), its GNU extensions (LSB core, "Symbol Versioning"; binutils' elf/common.h).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from ..ranges import align_up
from .limits import PAGE as PAGE

EI_CLASS, EI_DATA, EI_OSABI = 4, 5, 7
ELFCLASS64, ELFDATA2LSB = 2, 1
ET_DYN = 3
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE, PT_TLS = 1, 2, 3, 4, 7
PT_GNU_EH_FRAME = 0x6474E550
PF_X, PF_W, PF_R = 1, 2, 4
(DT_NULL, DT_NEEDED, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_RELA, DT_RELASZ, DT_RELAENT, DT_STRSZ, DT_SYMENT) = (
    0, 1, 4, 5, 6, 7, 8, 9, 10, 11)  # fmt: skip
DT_SONAME, DT_REL, DT_RELSZ, DT_TEXTREL, DT_JMPREL, DT_PLTRELSZ = 14, 17, 18, 22, 23, 2
DT_RELRSZ, DT_RELR, DT_RELACOUNT = 35, 36, 0x6FFFFFF9
DT_GNU_HASH, DT_VERSYM, DT_VERDEF, DT_VERDEFNUM = 0x6FFFFEF5, 0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFD
DT_AUXILIARY = 0x7FFFFFFD
SHN_UNDEF, SHN_ABS = 0, 0xFFF1
STB_LOCAL, STB_GLOBAL, STB_WEAK = 0, 1, 2
STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_SECTION = 0, 1, 2, 3
SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_HASH, SHT_DYNAMIC, SHT_NOTE, SHT_NOBITS, SHT_DYNSYM = 1, 2, 3, 5, 6, 7, 8, 11
SHT_GNU_HASH, SHT_GNU_VERDEF, SHT_GNU_VERSYM = 0x6FFFFFF6, 0x6FFFFFFD, 0x6FFFFFFF
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR = 1, 2, 4
NT_VERSION, NT_GNU_BUILD_ID, NT_GNU_PROPERTY_TYPE_0 = 1, 3, 5


class Ehdr(NamedTuple):
    ident: bytes
    type: int
    machine: int
    version: int
    entry: int
    phoff: int
    shoff: int
    flags: int
    ehsize: int
    phentsize: int
    phnum: int
    shentsize: int
    shnum: int
    shstrndx: int


class Phdr(NamedTuple):
    type: int
    flags: int
    offset: int
    vaddr: int
    paddr: int
    filesz: int
    memsz: int
    align: int


class Shdr(NamedTuple):
    name: int
    type: int
    flags: int
    addr: int
    offset: int
    size: int
    link: int
    info: int
    addralign: int
    entsize: int


class Sym(NamedTuple):
    name: int
    info: int
    other: int
    shndx: int
    value: int
    size: int


EHDR = struct.Struct("<16sHHIQQQIHHHHHH")
PHDR = struct.Struct("<IIQQQQQQ")
SHDR = struct.Struct("<IIQQQQIIQQ")
SYM = struct.Struct("<IBBHQQ")
DYN = struct.Struct("<qQ")
RELA = struct.Struct("<QQq")


def pages(size: int, page_size: int = PAGE) -> int:
    """Return how many pages `size` bytes take."""
    return align_up(size, page_size) // page_size
