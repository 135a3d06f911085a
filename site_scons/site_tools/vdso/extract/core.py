# SPDX-License-Identifier: MIT
"""Finds the vDSO in the ELF core file of a process as a debugger does: it is the mapping that the auxiliary vector names.

A core can hold other bytes that look like a vDSO (in a debugger's heap, in a file that was mapped), so only that mapping
counts. A core of a whole machine (vmcore, QEMU's dump-guest-memory) has no auxiliary vector and is searched like any
memory dump.
Sources: Linux fs/binfmt_elf.c (elf_core_dump), the System V gABI on notes, getauxval(3).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ..elf import elf64, headers
from ..elf.headers import Headers
from ..errors import VdsoError
from ..ranges import align_up
from .compression import AGAIN

ET_CORE = 4
NT_AUXV = 6
MOST_NOTES = 1 << 17  # a process of ten thousand threads has 60,000
LONGEST_AUXV = 0x1000  # Linux has 25 entries at most (include/linux/auxvec.h, AT_VECTOR_SIZE_BASE)
AT_NULL, AT_SYSINFO_EHDR = 0, 33
ANOTHER = "give a core of a program that ran on a Linux with a vDSO, or BASE=minimal"


def read_core(data: bytes) -> Headers | None:
    """Return the headers of a core file; None for any other file, and where the headers are cut off."""
    if not data.startswith(headers.MAGIC):
        return None
    try:
        found = headers.read_headers(data)
    except headers.Truncated:
        return None
    return found if found is not None and found.ehdr.type == ET_CORE else None


def auxv(name: str, data: bytes, core: Headers) -> dict[int, int] | None:
    """Return the auxiliary vector of the process; None when the core has none. VdsoError(name) for notes that are cut off."""
    for at, kind, start, size in _notes(name, data, core):
        if kind == NT_AUXV:
            word = struct.Struct(core.form.order + ("QQ" if core.form.wide else "II"))
            if size % word.size or size > LONGEST_AUXV:
                what = f"its NT_AUXV note at {at:#x} has {size:#x} bytes, no whole entries or more than {LONGEST_AUXV:#x}"
                raise VdsoError(name, what, AGAIN)
            entries = dict(reversed(list(word.iter_unpack(data[start : start + size]))))  # the first of a kind counts
            entries.pop(AT_NULL, None)
            return entries
    return None


def vdso_mapping(name: str, data: bytes, core: Headers, vector: dict[int, int]) -> tuple[str, bytes]:
    """Return (label, bytes) of the mapping from the vDSO's first byte on. VdsoError(name) where it is not in the core."""
    address = vector.get(AT_SYSINFO_EHDR, 0)
    if not address:
        raise VdsoError(name, "a core of a process without vDSO (no AT_SYSINFO_EHDR, 0x21, in its NT_AUXV)", ANOTHER)
    for p in core.phdrs:
        if p.type == elf64.PT_LOAD and p.vaddr <= address < p.vaddr + max(p.memsz, p.filesz):
            start, end = p.offset + address - p.vaddr, p.offset + p.filesz
            if start >= end:
                what = f"its vDSO at {address:#x} was not dumped: {p.filesz:#x} of {p.memsz:#x} bytes of its mapping are there"
                raise VdsoError(name, what, "take the core with gdb: generate-core-file")
            if end > len(data):
                raise VdsoError(name, f"truncated: its vDSO's mapping ends at {end:#x} and the data at {len(data):#x}", AGAIN)
            return f"its vDSO's mapping at {address:#x}", data[start:end]
    raise VdsoError(name, f"its vDSO at {address:#x} lies in none of its {len(core.phdrs)} segments", ANOTHER)


def _notes(name: str, data: bytes, core: Headers) -> Iterator[tuple[int, int, int, int]]:
    """Yield (offset in the file, type, offset and size of the content) of each note that describes the process."""
    count = 0
    for p in core.phdrs:
        if p.type != elf64.PT_NOTE:
            continue
        at, end = p.offset, p.offset + p.filesz
        if end > len(data):
            raise VdsoError(name, f"truncated: its notes end at {end:#x} and the data at {len(data):#x}", AGAIN)
        while at + 12 <= end:
            count += 1
            if count > MOST_NOTES:
                raise VdsoError(name, f"has more than {MOST_NOTES} notes", "give a core of one process")
            namesz, descsz, kind = struct.unpack_from(core.form.order + "III", data, at)
            content = at + 12 + align_up(namesz, 4)
            if content + descsz > end:
                raise VdsoError(name, f"its note at {at:#x} ends at {content + descsz:#x}, and its notes at {end:#x}", AGAIN)
            if namesz <= 8 and data[at + 12 : at + 12 + namesz].rstrip(b"\0") == b"CORE":
                yield at, kind, content, descsz
            at = content + align_up(descsz, 4)
