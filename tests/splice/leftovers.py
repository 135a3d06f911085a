# SPDX-License-Identifier: MIT
"""What an attacker looks for in an image: bytes that nobody needs. Judged from the finished file alone, with pyelftools.

All code that programs share is a store of instructions to jump into, and an image made from another one could still hold
what was replaced. So each byte must be accounted for: headers, tables, code of a function that has a name, or nothing.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from elftools.elf.constants import P_FLAGS, SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import NoteSection, StringTableSection

WINDOW = 8  # bytes of old code that may not turn up again: two to four instructions
TEXT = re.compile(rb"[\x20-\x7e]{6,}")

Range = tuple[int, int]


@dataclass(frozen=True)
class Blob:
    image: bytes

    @cached_property
    def elf(self) -> ELFFile:
        return ELFFile(io.BytesIO(self.image))

    @cached_property
    def functions(self) -> dict[str, Range]:
        """Name to [start, end) of each function in .dynsym."""
        symbols = self.elf.get_section_by_name(".dynsym").iter_symbols()
        return {s.name: (s["st_value"], s["st_value"] + s["st_size"]) for s in symbols if s["st_info"]["type"] == "STT_FUNC"}

    @cached_property
    def tables(self) -> dict[str, Range]:
        """Return headers, segments but the load, and sections but code and padding."""
        e = self.elf.header
        found = {
            "ELF header": (0, e["e_ehsize"]),
            "program headers": (e["e_phoff"], e["e_phoff"] + e["e_phnum"] * e["e_phentsize"]),
            "section table": (e["e_shoff"], e["e_shoff"] + e["e_shnum"] * e["e_shentsize"]),
        }
        for s in self.elf.iter_sections():
            if s["sh_type"] != "SHT_NULL" and s.name != ".padding" and not s["sh_flags"] & SH_FLAGS.SHF_EXECINSTR:
                found[s.name] = (s["sh_offset"], s["sh_offset"] + s["sh_size"])
        for p in self.elf.iter_segments():
            if p["p_type"] != "PT_LOAD":
                found[p["p_type"]] = (p["p_offset"], p["p_offset"] + p["p_filesz"])
        return found

    def outside(self, ranges: list[Range]) -> Iterator[Range]:
        """Yield the ranges of the image that are not in `ranges`."""
        at = 0
        for start, end in [*sorted(ranges), (len(self.image), len(self.image))]:
            if at < start:
                yield at, start
            at = max(at, end)


def padding(blob: Blob, filler: bytes) -> list[str]:
    """Return bytes that belong to no header, table or function, and are neither zero nor part of a trap."""
    used = [*blob.tables.values(), *blob.functions.values()]
    return [
        f"{at:#x}: {blob.image[at]:#04x}"
        for start, end in blob.outside(used)
        for at in range(start, end)
        if blob.image[at] and blob.image[at] not in filler
    ]


def old_code(blob: Blob, code: list[bytes], kept: set[str], ours: set[str]) -> list[str]:
    """Find pieces of `code`, the functions of the base that are not kept, anywhere but in kept functions and in stubs.

    A stub may have two instructions in a row that Linux has too: `li a7, 113; ecall`. Its bytes are proved elsewhere to be
    those that were linked, without the base.
    """
    old = {part[at : at + WINDOW] for part in code for at in range(len(part) - WINDOW + 1)}
    old = {window for window in old if len(set(window)) > 2}  # zeros, and nops
    excused = [where for name, where in blob.functions.items() if name in kept | ours]
    return [
        f"{at:#x}: {blob.image[at : at + WINDOW].hex(' ')}"
        for start, end in blob.outside(excused)
        for at in range(start, end - WINDOW + 1)
        if blob.image[at : at + WINDOW] in old
    ]


def writable_code(blob: Blob) -> list[str]:
    """Return headers that ask for a page of code to be writable, or for data to be executable."""
    segments = [(s["p_type"], s["p_flags"]) for s in blob.elf.iter_segments()]
    found = [f"{kind} is writable" for kind, flags in segments if flags & P_FLAGS.PF_W]
    found += [f"{kind} is executable" for kind, flags in segments if flags & P_FLAGS.PF_X and kind != "PT_LOAD"]
    found += [f"{s.name} is writable" for s in blob.elf.iter_sections() if s["sh_flags"] & SH_FLAGS.SHF_WRITE]
    loads = [(s["p_offset"], s["p_vaddr"], s["p_filesz"], s["p_memsz"]) for s in blob.elf.iter_segments(type="PT_LOAD")]
    names = blob.elf.get_section_by_name(".shstrtab")["sh_offset"]
    return found + ([] if loads == [(0, 0, names, names)] else [f"loads are {loads}"])


def names(blob: Blob, known: set[bytes]) -> list[str]:
    """Return text outside of code that is no name of an export, version, section or note."""
    code = list(blob.functions.values())
    build_ids = [
        (s["sh_offset"] + 16, s["sh_offset"] + 36)
        for s in blob.elf.iter_sections()
        if isinstance(s, NoteSection) and next(s.iter_notes())["n_type"] == "NT_GNU_BUILD_ID"
    ]
    told = set(known)
    for section in blob.elf.iter_sections():
        if isinstance(section, StringTableSection) and section.name == ".shstrtab":
            told |= set(section.data().split(b"\0"))
    return [
        f"{start + match.start():#x}: {match[0]!r}"
        for start, end in blob.outside([*code, *build_ids])
        for match in TEXT.finditer(blob.image[start:end])
        if match[0] not in told
    ]
