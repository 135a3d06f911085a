# SPDX-License-Identifier: MIT
"""ELF core files as bytes, laid out as Linux's elf_core_dump does: headers, notes, then the mappings page by page.

build(Core({0x10000: b"code", 0x7FFF0000: vdso}, vdso=0x7FFF0000))
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vdso.elf import elf64
from vdso.ranges import align_up

NT_PRSTATUS, NT_AUXV, NT_FILE = 1, 6, 0x46494C45
AT_PHDR, AT_SYSINFO_EHDR = 3, 33
PN_XNUM = 0xFFFF
Note = tuple[bytes, int, bytes]


@dataclass(frozen=True)
class Core:
    """What to build.

    segments    address to content, as long as it is dumped
    vdso        value of AT_SYSINFO_EHDR; None: no such entry
    missing     bytes that each segment has in memory and not in the file
    auxv        without it there is no NT_AUXV
    before      notes that come before it; NT_FILE of a large program takes megabytes
    extended    the number of segments stands where a core of more than 65534 has it
    """

    segments: Mapping[int, bytes]
    vdso: int | None = None
    missing: int = 0
    auxv: bool = True
    before: tuple[Note, ...] = ((b"CORE", NT_PRSTATUS, bytes(0x178)), (b"LINUX", NT_AUXV, b"another's"))
    extended: bool = False
    bits: int = 64
    endian: str = "<"
    machine: int = 243
    type: int = 4


def note(form: str, name: bytes, kind: int, content: bytes) -> bytes:
    name += b"\0"
    head = struct.pack(form + "III", len(name), len(content), kind)
    return b"".join(part.ljust(align_up(len(part), 4), b"\0") for part in (head, name, content))


def build(core: Core) -> bytes:
    wide, order = core.bits == 64, core.endian
    ehsize, phentsize, shentsize = (64, 56, 64) if wide else (52, 32, 40)
    entries = [(AT_PHDR, 0x10040), *([] if core.vdso is None else [(AT_SYSINFO_EHDR, core.vdso)]), (0, 0)]
    auxv = b"".join(struct.pack(order + ("QQ" if wide else "II"), *entry) for entry in entries)
    notes = [*core.before, *([(b"CORE", NT_AUXV, auxv)] if core.auxv else []), (b"CORE", NT_FILE, bytes(24))]
    noted = b"".join(note(order, *each) for each in notes)
    at = ehsize + phentsize * (1 + len(core.segments))

    def phdr(kind: int, flags: int, offset: int, vaddr: int, filesz: int, memsz: int, align: int) -> bytes:
        if wide:
            return struct.pack(order + "IIQQQQQQ", kind, flags, offset, vaddr, 0, filesz, memsz, align)
        return struct.pack(order + "8I", kind, offset, vaddr, 0, filesz, memsz, flags, align)

    table = [phdr(elf64.PT_NOTE, 0, at, 0, len(noted), 0, 4)]
    contents = [noted.ljust(align_up(at + len(noted), elf64.PAGE) - at, b"\0")]
    at += len(contents[0])
    for address, content in core.segments.items():
        table.append(phdr(elf64.PT_LOAD, 5, at, address, len(content), len(content) + core.missing, elf64.PAGE))
        contents.append(content)
        at += len(content)
    shoff, phnum = (at, PN_XNUM) if core.extended else (0, len(table))
    head = struct.pack(
        order + ("16sHHIQQQIHHHHHH" if wide else "16sHHIIIIIHHHHHH"),
        b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1]),
        *(core.type, core.machine, 1, 0, ehsize, shoff, 0),
        *(ehsize, phentsize, phnum, shentsize if shoff else 0, 1 if shoff else 0, 0),
    )
    section = struct.pack(order + ("IIQQQQIIQQ" if wide else "10I"), 0, 0, 0, 0, 0, 1, 0, len(table), 0, 0)
    return b"".join([head, *table, *contents, section if core.extended else b""])


def own_vdso() -> bytes:
    """Return the vDSO of this process; the pages are the same in each process."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    start, _, end = next(line for line in maps if line.endswith("[vdso]")).split()[0].partition("-")
    with Path("/proc/self/mem").open("rb") as memory:
        memory.seek(int(start, 16))
        return memory.read(int(end, 16) - int(start, 16))
