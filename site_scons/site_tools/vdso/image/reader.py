# SPDX-License-Identifier: MIT
"""Reads the bytes of a vDSO into its model, and checks every number against the bytes that are there.

A file is accepted only if it can be spliced safely; else the error says why. `verify` reads images with another parser.
"""

from __future__ import annotations

from ..arch.arch import Arch
from ..elf import elf64
from ..elf.elf64 import EHDR, PHDR, SHDR, Ehdr, Phdr, Shdr
from ..elf.limits import MOST_BYTES
from ..errors import OTHER_BASE, VdsoError
from . import table_reader
from .load import Load
from .model import Vdso


def read_vdso(name: str, file: bytes, arch: Arch) -> Vdso:
    """Return the model of the ELF `file`, which messages call `name`.

    VdsoError unless it is a plain, whole vDSO of `arch` with one PT_LOAD.
    """
    ehdr = _header(name, file, arch)
    phdrs = _segments(name, file, ehdr)
    sections = _sections(file, ehdr)
    load = Load(name, file[: next(p.filesz for p in phdrs if p.type == elf64.PT_LOAD)])
    dynamic = table_reader.read_dynamic(load, phdrs, [header for _name, header in sections])
    tags = dict(reversed(dynamic))
    if elf64.DT_AUXILIARY in tags:
        raise VdsoError(name, "a vDSO for user-mode CFI (DT_AUXILIARY)", "take the plain one of the same kernel")
    relocated = table_reader.read_relocated(load, tags)
    patched = table_reader.read_patched(load, [header for name, header in sections if name == arch.alternatives.section], arch)
    named = table_reader.find_tables(load, tags, phdrs, len(dynamic))
    symbols = table_reader.read_symbols(load, tags, named)
    fdes, frames = table_reader.read_fdes(load, named)
    tables = named | frames
    vdso = Vdso(
        name=name,
        arch=arch,
        file=file,
        data=load.data,
        ehdr=ehdr,
        phdrs=phdrs,
        dynamic=dynamic,
        symbols=symbols,
        notes=table_reader.read_notes(load, tables),
        fdes=fdes,
        tables=tables,
        relocated=relocated,
        patched=patched,
    )
    table_reader.refuse_overlaps(load, vdso.headers, tables, symbols)
    return vdso


def _header(name: str, file: bytes, arch: Arch) -> Ehdr:
    """Return the ELF header of a 64-bit little-endian shared object of `arch`."""
    if not file:
        raise VdsoError(name, "empty", "give a vDSO")
    if len(file) < EHDR.size or not file.startswith(b"\x7fELF"):
        raise VdsoError(name, "not ELF", "give a vDSO, or a file that holds one")
    if file[elf64.EI_DATA] != elf64.ELFDATA2LSB:
        raise VdsoError(name, f"big-endian ELF (EI_DATA {file[elf64.EI_DATA]:#x})", f"{arch.name} is little-endian")
    if file[elf64.EI_CLASS] != elf64.ELFCLASS64:
        raise VdsoError(name, f"32-bit ELF (EI_CLASS {file[elf64.EI_CLASS]:#x})", "give the 64-bit vDSO")
    ehdr = Ehdr(*EHDR.unpack_from(file))
    if ehdr.machine != arch.machine:
        what = f"e_machine is {ehdr.machine:#x}, not {arch.machine:#x} ({arch.name})"
        raise VdsoError(name, what, "give a vDSO of this architecture, or set ARCH")
    if ehdr.type != elf64.ET_DYN:
        raise VdsoError(name, f"e_type is {ehdr.type:#x}, not ET_DYN", "give a vDSO, which is a shared object")
    if (ehdr.ehsize, ehdr.phentsize) != (EHDR.size, PHDR.size):
        what = f"e_ehsize {ehdr.ehsize:#x}, e_phentsize {ehdr.phentsize:#x}, not 0x40 and 0x38"
        raise VdsoError(name, what, OTHER_BASE)
    return ehdr


def _segments(name: str, file: bytes, ehdr: Ehdr) -> tuple[Phdr, ...]:
    """Return the program headers, one of which is PT_LOAD. Those of a type that a vDSO does without are never looked into."""
    end = ehdr.phoff + ehdr.phnum * PHDR.size
    if ehdr.phoff < EHDR.size or end > len(file):
        raise VdsoError(name, f"truncated: program headers end at {end:#x}, the file at {len(file):#x}", OTHER_BASE)
    phdrs = tuple(Phdr(*PHDR.unpack_from(file, ehdr.phoff + i * PHDR.size)) for i in range(ehdr.phnum))
    loads = [p for p in phdrs if p.type == elf64.PT_LOAD]
    if len(loads) != 1:
        raise VdsoError(name, f"{len(loads)} PT_LOAD segments, not 1", OTHER_BASE)
    load = loads[0]
    if load.offset or load.vaddr:
        what = f"PT_LOAD has offset {load.offset:#x} and address {load.vaddr:#x}, both must be 0x0"
        raise VdsoError(name, what, OTHER_BASE)
    if load.filesz != load.memsz:
        what = f"PT_LOAD has {load.filesz:#x} bytes in the file and {load.memsz:#x} in memory, which must be equal"
        raise VdsoError(name, what, "link it without .bss, or " + OTHER_BASE)
    if load.align > MOST_BYTES or load.align & load.align - 1:
        what = f"PT_LOAD has the alignment {load.align:#x}, no power of two up to {MOST_BYTES:#x}"
        raise VdsoError(name, what, OTHER_BASE)
    if load.filesz > len(file) or load.filesz < end:
        raise VdsoError(name, f"truncated: PT_LOAD ends at {load.filesz:#x}, the file at {len(file):#x}", OTHER_BASE)
    if load.filesz > MOST_BYTES:
        what = f"PT_LOAD has {load.filesz:#x} bytes (a vDSO has {MOST_BYTES:#x} at most)"
        raise VdsoError(name, what, "give a vDSO")
    for p in phdrs:
        if p.type in (elf64.PT_INTERP, elf64.PT_TLS):
            raise VdsoError(name, f"has a program header of type {p.type:#x}, which no vDSO has", OTHER_BASE)
    for kind in (elf64.PT_DYNAMIC, elf64.PT_GNU_EH_FRAME):
        if sum(p.type == kind for p in phdrs) > 1:
            raise VdsoError(name, f"has more than one program header of type {kind:#x}", OTHER_BASE)
    return phdrs


def _sections(file: bytes, ehdr: Ehdr) -> tuple[tuple[str, Shdr], ...]:
    """Return (name, header) of each section, if the file has a whole table: a memory dump has none."""
    if not ehdr.shoff or ehdr.shentsize != SHDR.size or ehdr.shstrndx >= ehdr.shnum:
        return ()
    if ehdr.shoff + ehdr.shnum * SHDR.size > len(file):
        return ()
    headers = [Shdr(*SHDR.unpack_from(file, ehdr.shoff + i * SHDR.size)) for i in range(ehdr.shnum)]
    strings = headers[ehdr.shstrndx]
    raw = file[strings.offset : strings.offset + strings.size]
    return tuple((raw[h.name :].partition(b"\0")[0].decode("ascii", "backslashreplace"), h) for h in headers)
