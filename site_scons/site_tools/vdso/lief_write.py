# SPDX-License-Identifier: MIT
"""LIEF as it keeps every byte: sectionless input, every rebuild switched off, headers through its model.

What goes wrong elsewhere was measured with LIEF 1.0.0: its default configuration re-lays tables; `patch_address` on a header
is overwritten by the model; a segment that is made larger crashes it; a DT_GNU_HASH that it has read is always written
back as it was. So the input has its final size before LIEF sees it, and DT_GNU_HASH is hidden while it looks.
"""

from __future__ import annotations

from collections.abc import Sequence

import lief

from .elf import DT_GNU_HASH, DYN, EHDR, PHDR, PT_DYNAMIC, PT_LOAD, Ehdr, Phdr

_DT_DEBUG = 21


def write(prepared: bytes, patches: Sequence[tuple[int, bytes]]) -> bytes:
    """`prepared` (a sectionless ELF of one PT_LOAD at 0, as long as it will be) with the patches (address, bytes) written.

    One of the patches must be all of PT_DYNAMIC. RuntimeError where LIEF can't read it.
    """
    lief.logging.disable()
    wanted = bytearray(prepared)
    for start, data in patches:
        wanted[start : start + len(data)] = data
    ehdr = Ehdr(*EHDR.unpack_from(wanted))
    places = [ehdr.phoff + index * PHDR.size for index in range(ehdr.phnum)]
    phdrs = [Phdr(*PHDR.unpack_from(wanted, at)) for at in places]
    binary = lief.ELF.parse(_shown(prepared, places, phdrs))
    if binary is None:
        raise RuntimeError(f"LIEF can't read an image of {len(prepared):#x} bytes")
    for start, data in patches:
        if start >= places[-1] + PHDR.size:
            binary.patch_address(start, list(data))
    header = binary.header
    header.section_header_offset = ehdr.shoff
    header.numberof_sections = ehdr.shnum
    header.section_name_table_idx = ehdr.shstrndx
    for segment, phdr in zip(binary.segments, phdrs, strict=True):
        if phdr.type != PT_LOAD:
            segment.file_offset = phdr.offset
            segment.virtual_address = phdr.vaddr
            segment.physical_address = phdr.paddr
            segment.virtual_size = phdr.memsz
            segment.physical_size = phdr.filesz
    config = lief.ELF.Builder.config_t()
    for name in dir(config):
        if isinstance(getattr(config, name), bool):
            setattr(config, name, False)
    return bytes(binary.write_to_bytes(config))


def _shown(prepared: bytes, places: Sequence[int], phdrs: Sequence[Phdr]) -> bytes:
    """What LIEF gets to read: the final PT_LOAD, and another tag in the place of DT_GNU_HASH."""
    data = bytearray(prepared)
    for at, phdr in zip(places, phdrs, strict=True):
        if phdr.type == PT_LOAD:
            PHDR.pack_into(data, at, *phdr)
        elif phdr.type == PT_DYNAMIC:
            for entry in range(phdr.vaddr, phdr.vaddr + phdr.filesz, DYN.size):
                tag, value = DYN.unpack_from(data, entry)
                if tag == DT_GNU_HASH:
                    DYN.pack_into(data, entry, _DT_DEBUG, value)
    return bytes(data)
