# SPDX-License-Identifier: MIT
"""Rules on DT_VERSYM and DT_VERDEF (LSB core, "Symbol Versioning")."""

from __future__ import annotations

from collections.abc import Iterator

from ..model import Subject
from ..rule import BINUTILS, EVERY, GLIBC, GO, LLVM_LIBC, MUSL, RUSTIX, SELFTESTS, rule
from .hashes import sysv_hash


@rule("dt-versym", (MUSL, "takes any version for the one it wants"), (SELFTESTS, "check no version"))
def dt_versym(s: Subject) -> Iterator[str]:
    """DT_VERSYM is there. musl src/internal/vdso.c and parse_vdso.c match a symbol's version through it."""
    if s.dynamic is not None and s.tag("DT_VERSYM") is None:
        yield "no DT_VERSYM"


@rule("dt-verdef", (GO, "reads address 0 in some releases"), (MUSL, "checks no version"), (GLIBC, "finds no version"))
def dt_verdef(s: Subject) -> Iterator[str]:
    """DT_VERDEF and DT_VERDEFNUM are there. Go runtime/vdso_linux.go, vdsoFindVersion: dereferenced unchecked."""
    if s.dynamic is not None:
        for name in ("DT_VERDEF", "DT_VERDEFNUM"):
            if s.tag(name) is None:
                yield f"no {name}"


@rule(
    "verdef-walk",
    (GLIBC, "walks it later, unchecked"),
    (MUSL, "walks it unchecked"),
    (GO, "walks it unchecked"),
    (SELFTESTS, "walk it unchecked"),
    (LLVM_LIBC, "walks it unchecked"),
)
def verdef_walk(s: Subject) -> Iterator[str]:
    """vd_next leads through DT_VERDEFNUM definitions inside the load and ends; each has a name.

    glibc elf/dl-version.c and elf/dl-lookup.c; musl src/internal/vdso.c, checkver: the walk has no limit.
    """
    if s.versions is None or not s.inside(s.tag("DT_VERDEF") or 0):
        return
    if s.versions.stopped:
        yield f"DT_VERDEF: {s.versions.stopped}"
        return
    found, number = len(s.versions.definitions), s.tag("DT_VERDEFNUM")
    if number is not None and found != number:
        yield f"vd_next leads through 0x{found:x} definitions, DT_VERDEFNUM is 0x{number:x}"
    for version in s.versions.definitions:
        if not s.inside(version.at, 20):
            yield f"the version definition at 0x{version.at:x} lies outside of the load, which ends at 0x{s.size:x}"
        elif not version.names or version.names[0] is None:
            yield f"the version definition at 0x{version.at:x} has no name that can be read"


@rule("verdef-revision", (RUSTIX, "finds no version"), (SELFTESTS, "find no version"))
def verdef_revision(s: Subject) -> Iterator[str]:
    """vd_version is 1 (VER_DEF_CURRENT). rustix vdso.rs, match_version; Linux parse_vdso.c, vdso_match_version."""
    for version in s.versions.definitions if s.versions else ():
        if version.version != 1:
            yield f"vd_version of the definition at 0x{version.at:x} is 0x{version.version:x}, not 0x1"


@rule("verdef-hash", (GO, "finds no version"), (RUSTIX, "finds no version"), (SELFTESTS, "find no version"))
def verdef_hash(s: Subject) -> Iterator[str]:
    """vd_hash is the name's. Go compares with that number, as runtime/vdso_linux_riscv64.go does."""
    for version in s.versions.definitions if s.versions else ():
        name = version.names[0] if version.names else None
        if name is not None and version.hash != sysv_hash(name.encode()):
            yield f"vd_hash of {name} is 0x{version.hash:x}, must be 0x{sysv_hash(name.encode()):x}"


@rule(
    "version-name",
    (GLIBC, "finds no function of the version it wants"),
    (MUSL, "finds no function of the version it wants"),
    (GO, "finds no function of the version it wants"),
    (RUSTIX, "finds no function of the version it wants"),
    (SELFTESTS, "find no function of the version they want"),
    (LLVM_LIBC, "finds no function of the version it wants"),
)
def version_name(s: Subject) -> Iterator[str]:
    """The version of the architecture is defined.

    glibc sysdeps/unix/sysv/linux/riscv/sysdep.h, VDSO_NAME; musl arch/riscv64/syscall_arch.h, VDSO_CGT_VER.
    """
    if s.versions is not None and not s.versions.stopped and _version_index(s) is None:
        names = ", ".join(n for v in s.versions.definitions if not v.base for n in v.names[:1] if n) or "none"
        yield f"version {s.arch.version} is not defined ({names})"


def _version_index(s: Subject) -> int | None:
    """Return the index of the architecture's version; None where it is not defined."""
    for version in s.versions.definitions if s.versions else ():
        if not version.base and version.names[:1] == (s.arch.version,):
            return version.index
    return None


@rule(
    "symbol-version",
    (MUSL, "misses a function"),
    (GO, "misses a function"),
    (RUSTIX, "misses a function"),
    (SELFTESTS, "miss a function"),
    (GLIBC, "misses a function"),
    (LLVM_LIBC, "misses a function"),
)
def symbol_version(s: Subject) -> Iterator[str]:
    """Every export has the version of the architecture. musl src/internal/vdso.c, checkver; Go vdso_linux.go."""
    right = _version_index(s)
    if right is None or s.versym is None or not s.inside(s.tag("DT_VERSYM") or 0, 2 * len(s.versym)):
        return
    for symbol in s.exports:
        if symbol.defined and s.versym[symbol.index] & 0x7FFF != right:
            yield f"{symbol} has version index 0x{s.versym[symbol.index]:x}, {s.arch.version} is 0x{right:x}"


@rule("versym-count", (EVERY, "reads a version behind the table"), (BINUTILS, "warn"))
def versym_count(s: Subject) -> Iterator[str]:
    """The version table has an entry for each symbol. LSB core, "Symbol Version Table"."""
    for section in s.sections or ():
        if section.type == "SHT_GNU_versym" and s.symbols is not None and section.size != 2 * len(s.symbols):
            count = len(s.symbols)
            yield f"0x{section.size:x} bytes of versions for {count} symbols, must be 0x{2 * count:x}"
