# SPDX-License-Identifier: MIT
"""Images that keep every rule of verify, and the tools to break them: `ours()` is what splice makes, `foreign()` another's.

After `patch = Patch(ours()); patch.segment(elf.PT_LOAD, flags=elf.PF_R)` verify finds `load-flags` broken in `patch.image`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from arch.riscv64 import snippets as default_snippets
from elf_builder import PREFIX, Code, Function, Spec, assemble, raw, sigreturn, system_call
from snippets import Snippets
from vdso.arch.arch import Arch
from vdso.arch.riscv64.facts import RISCV64
from vdso.elf import elf64, our_note
from vdso.elf.elf64 import PAGE
from vdso.ranges import align_up

DATA = 0x1000  # the data page comes after an image of one page
HEADER = 0x40  # an address inside of the image
DT_DEBUG = 21  # a dynamic tag that nobody looks at in a library


def served(name: str, number: int, target: int, snippets: Snippets = default_snippets) -> Function:
    """Return a tiny stub: it reads 8 bytes at image address `target`, then makes the system call."""
    rest = snippets.call(number) + snippets.RET

    def code(address: int, _all: Mapping[str, int]) -> bytes:
        return snippets.read(address, target) + rest

    return Function(name, len(snippets.read(0, 0) + rest), code)


def functions(target: int) -> tuple[Function, ...]:
    return (
        sigreturn(),
        replace(served(PREFIX + "clock_gettime", 113, target), gap=2),
        served(PREFIX + "gettimeofday", 169, target),
        served(PREFIX + "clock_getres", 114, target),
        system_call(PREFIX + "getcpu", 168),
        system_call(PREFIX + "flush_icache", 259),
    )


def with_code(name: str, code: bytes | Code, target: int = HEADER) -> tuple[Function, ...]:
    """Return the functions with another body for one of them."""
    made = raw(name, code) if isinstance(code, bytes) else Function(name, 18, code)
    return tuple(made if f.name == name else f for f in functions(target))


def foreign(spec: Spec | None = None, **changes: Any) -> bytes:
    """Return an image without our note: its layout is Linux's, and its code reads nothing outside of the image."""
    spec = spec or Spec(functions=functions(HEADER))
    return assemble(replace(spec, **changes)).data


def note(owner: bytes, kind: int, desc: bytes) -> bytes:
    return struct.pack("<III", len(owner), len(desc), kind) + owner.ljust(align_up(len(owner), 4), b"\0") + desc


def ours(
    data_offset: int = DATA, target: int = DATA, counter_offset: int = 0, spec: Spec | None = None, **changes: Any
) -> bytes:
    """Return an image with our note: whole pages, the section table in the load, the notes behind everything else."""
    spec = spec or Spec(functions=functions(target))
    return with_our_note(foreign(spec, **changes), data_offset, counter_offset)


def with_our_note(image: bytes, data_offset: int = DATA, counter_offset: int = 0, arch: Arch = RISCV64) -> bytes:
    """Return what becomes of an image without our note by one: whole pages, with the notes behind everything else."""
    patch = Patch(image, arch)
    build_id = note(b"GNU\0", elf64.NT_GNU_BUILD_ID, bytes(range(20)))
    notes = build_id + note(our_note.name(data_offset, counter_offset), our_note.TYPE, b"")
    at = align_up(len(patch.data), 4)
    patch.data += bytes(at - len(patch.data)) + notes
    patch.data += bytes(align_up(len(patch.data) + 16, PAGE) - len(patch.data))
    patch.segment(elf64.PT_LOAD, filesz=len(patch.data), memsz=len(patch.data))
    patch.segment(elf64.PT_NOTE, offset=at, vaddr=at, paddr=at, filesz=len(notes), memsz=len(notes))
    patch.section(elf64.SHT_NOTE, addr=at, offset=at, size=len(notes))
    return patch.image


class Patch:
    """The bytes of an image, with its records by name. It knows nothing of verify.

    Names of exports and of their version are those of riscv64: in an image for `arch`, what is called so there is meant.
    """

    def __init__(self, image: bytes, arch: Arch = RISCV64) -> None:
        self.data, self.arch = bytearray(image), arch

    @property
    def image(self) -> bytes:
        return bytes(self.data)

    def put(self, at: int, form: str, *values: int) -> None:
        struct.pack_into(form, self.data, at, *values)

    def get(self, at: int, form: str = "<I") -> int:
        number: int = struct.unpack_from(form, self.data, at)[0]
        return number

    @property
    def ehdr(self) -> elf64.Ehdr:
        return elf64.Ehdr(*elf64.EHDR.unpack_from(self.data))

    def header(self, **fields: Any) -> None:
        elf64.EHDR.pack_into(self.data, 0, *self.ehdr._replace(**fields))

    def phdr(self, kind: int) -> tuple[int, elf64.Phdr]:
        for at in range(self.ehdr.phoff, self.ehdr.phoff + self.ehdr.phnum * elf64.PHDR.size, elf64.PHDR.size):
            phdr = elf64.Phdr(*elf64.PHDR.unpack_from(self.data, at))
            if phdr.type == kind:
                return at, phdr
        raise LookupError(kind)

    def segment(self, kind: int, **fields: int) -> None:
        at, phdr = self.phdr(kind)
        elf64.PHDR.pack_into(self.data, at, *phdr._replace(**fields))

    def shdr(self, kind: int) -> tuple[int, elf64.Shdr]:
        """Return the first section of the type."""
        for at in range(self.ehdr.shoff, self.ehdr.shoff + self.ehdr.shnum * elf64.SHDR.size, elf64.SHDR.size):
            shdr = elf64.Shdr(*elf64.SHDR.unpack_from(self.data, at))
            if shdr.type == kind:
                return at, shdr
        raise LookupError(kind)

    def section(self, kind: int, **fields: int) -> None:
        at, shdr = self.shdr(kind)
        elf64.SHDR.pack_into(self.data, at, *shdr._replace(**fields))

    def section_index(self, kind: int) -> int:
        return (self.shdr(kind)[0] - self.ehdr.shoff) // elf64.SHDR.size

    def tag(self, tag: int) -> int:
        """Return the address of the first entry of the tag; DT_NULL finds the first spare one."""
        segment = self.phdr(elf64.PT_DYNAMIC)[1]
        places = range(segment.offset, segment.offset + segment.filesz, elf64.DYN.size)
        return next(at for at in places if self.get(at, "<q") == tag)

    def value(self, tag: int) -> int:
        return self.get(self.tag(tag) + 8, "<Q")

    def set(self, tag: int, value: int) -> None:
        self.put(self.tag(tag) + 8, "<Q", value)

    def retag(self, tag: int, to: int = DT_DEBUG) -> None:
        self.put(self.tag(tag), "<q", to)

    def add(self, tag: int, value: int) -> None:
        """Add a dynamic entry, in place of a spare one, or of DT_RELASZ, which is 0 wherever it is."""
        end = self.tag(elf64.DT_NULL)
        segment = self.phdr(elf64.PT_DYNAMIC)[1]
        at = end if end + 16 < segment.vaddr + segment.memsz else self.tag(elf64.DT_RELASZ)
        self.put(at, "<qQ", tag, value)

    def string(self, text: str) -> int:
        """Return the offset of a string in DT_STRTAB."""
        start = self.value(elf64.DT_STRTAB)
        if text == RISCV64.version:
            text = self.arch.version
        elif text.startswith(RISCV64.export_prefix):
            text = self.arch.export(RISCV64.short(text))
        return self.data.index(b"\0" + text.encode() + b"\0", start) + 1 - start

    def index(self, name: str) -> int:
        start, offset = self.value(elf64.DT_SYMTAB), self.string(name)
        return next(i for i in range(1, 64) if self.get(start + 24 * i) == offset)

    def symbol(self, symbol: str, /, **fields: int) -> None:
        at = self.value(elf64.DT_SYMTAB) + 24 * self.index(symbol)
        elf64.SYM.pack_into(self.data, at, *elf64.Sym(*elf64.SYM.unpack_from(self.data, at))._replace(**fields))

    def symbol_of(self, symbol: str) -> elf64.Sym:
        return elf64.Sym(*elf64.SYM.unpack_from(self.data, self.value(elf64.DT_SYMTAB) + 24 * self.index(symbol)))

    @property
    def frames(self) -> int:
        """Return the address of .eh_frame_hdr."""
        return self.phdr(elf64.PT_GNU_EH_FRAME)[1].vaddr
