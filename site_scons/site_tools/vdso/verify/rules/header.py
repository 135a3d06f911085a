# SPDX-License-Identifier: MIT
"""Rules on the ELF header."""

from __future__ import annotations

from collections.abc import Iterator

from ...elf.elf64 import EHDR, PHDR
from ..model import Subject
from ..rule import BINUTILS, GLIBC, GO, MUSL, RUSTIX, SELFTESTS, rule


@rule("et-dyn", (RUSTIX, "refuses the image"), (BINUTILS, "don't take it for a shared object"))
def et_dyn(s: Subject) -> Iterator[str]:
    """e_type is ET_DYN. rustix src/backend/linux_raw/param/auxv.rs, check_elf_base."""
    if s.header.type != "ET_DYN":
        yield f"e_type is {s.header.type}, not ET_DYN"


@rule("elf-version", (RUSTIX, "refuses the image"))
def elf_version(s: Subject) -> Iterator[str]:
    """EI_VERSION and e_version are 1. rustix auxv.rs, check_elf_base; ELF specification, "ELF Identification"."""
    if s.image[6] != 1:
        yield f"EI_VERSION is 0x{s.image[6]:x}, not 0x1"
    if s.header.version not in ("EV_CURRENT", 1):
        yield f"e_version is {s.header.version}, not 0x1"


@rule("ei-osabi", (RUSTIX, "refuses the image"))
def ei_osabi(s: Subject) -> Iterator[str]:
    """EI_OSABI is SYSV (0) or GNU (3), EI_ABIVERSION 0. rustix auxv.rs, check_elf_base."""
    if s.header.osabi not in (0, 3):
        yield f"EI_OSABI is 0x{s.header.osabi:x}, neither SYSV (0x0) nor GNU (0x3)"
    if s.header.abiversion != 0:
        yield f"EI_ABIVERSION is 0x{s.header.abiversion:x}, not 0x0"


@rule("e-ehsize", (RUSTIX, "refuses the image"))
def e_ehsize(s: Subject) -> Iterator[str]:
    """e_ehsize is exact. rustix auxv.rs, check_elf_base."""
    if s.header.ehsize != EHDR.size:
        yield f"e_ehsize is 0x{s.header.ehsize:x}, not 0x{EHDR.size:x}"


@rule("e-phentsize", (RUSTIX, "refuses the image"), (MUSL, "steps through the program headers by it"))
def e_phentsize(s: Subject) -> Iterator[str]:
    """e_phentsize is exact.

    rustix auxv.rs, check_elf_base; musl src/internal/vdso.c adds it to step on, others add 56.
    """
    if s.header.phentsize != PHDR.size:
        yield f"e_phentsize is 0x{s.header.phentsize:x}, not 0x{PHDR.size:x}"


@rule(
    "program-headers",
    (GLIBC, "reads beyond the image"),
    (MUSL, "reads beyond the image"),
    (GO, "reads beyond the image"),
    (RUSTIX, "refuses the image"),
    (SELFTESTS, "read beyond the image"),
)
def program_headers(s: Subject) -> Iterator[str]:
    """The program headers are there, behind the ELF header, inside the file. All walk e_phoff and e_phnum unchecked."""
    end = s.header.phoff + s.header.phnum * PHDR.size
    if s.header.phnum == 0:
        yield "e_phnum is 0x0"
    elif s.header.phoff < EHDR.size or end > len(s.image):
        yield f"program headers from 0x{s.header.phoff:x} to 0x{end:x} (room: 0x{EHDR.size:x} to 0x{len(s.image):x})"
