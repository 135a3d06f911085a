# SPDX-License-Identifier: MIT
"""Finds the one plain vDSO in a file: a vDSO itself, a memory dump of one, or whatever holds one (a kernel image).

A vDSO is an ELF file of type DYN that names itself as Linux's do and has their exports. It may begin at any `\\x7fELF` of any
payload (containers.py); its own headers say of which kind it is, and where it ends. Whether an image can be made of the
chosen one (one load, no relocations) is decided later, by image/reader.py and policy/base_check.py.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from elftools.elf.descriptions import describe_e_machine
from elftools.elf.enums import ENUM_E_MACHINE

from ..arch.arch import Arch, Mark
from ..elf import elf64
from ..elf.headers import MAGIC, Headers, Truncated, dynamic_symbols, read_headers
from ..elf.limits import MOST_SYMBOLS
from ..errors import VdsoError
from ..ranges import align_up
from .containers import payloads
from .damage import refuse_reduced, refuse_rewritten

LARGEST = 1 << 20  # Linux's own are below 16 KiB; what is larger is a kernel or a library
MOST_SEGMENTS = 64  # Linux's own have 6 at most
LONGEST_DYNAMIC = 0x1000  # bytes of PT_DYNAMIC that are read; Linux's own have 0x160
MOST_CANDIDATES = 1 << 16  # ELF headers in one file: the memory of a machine holds thousands of small libraries
MOST_NAMED = 8  # finds that a message lists
MOST_FOUND = 64 << 20  # bytes of all vDSOs that are found in one file
ANOTHER = "give a file with a plain 64-bit vDSO of {arch}, or BASE=minimal"

# arch/*/kernel/vdso/ of Linux: linux-vdso.so.1, linux-vdso64.so.1, linux-compat_vdso.so.1, linux-gate.so.1
SONAME = re.compile(rb"linux-(gate|(compat_)?vdso\w*)\.so\.\d+")
EXPORT = re.compile(rb"\0__(vdso|kernel)_\w")
_MACHINES = {number: name for name, number in ENUM_E_MACHINE.items() if isinstance(number, int)}


@dataclass(frozen=True)
class Found:
    """A vDSO: `data` is exactly its bytes, `offset` where they lie in the payload `where` ("": the file itself)."""

    offset: int
    data: bytes
    what: str
    plain: bool
    where: str = ""

    def __str__(self) -> str:
        return f"{self.what} at {self.offset:#x}" + (f" of {self.where}" if self.where else "")


@dataclass(frozen=True)
class Search:
    """What a file holds.

    truncated   a sentence for each ELF file that is cut off
    searched    the labels of the payloads
    """

    found: tuple[Found, ...]
    truncated: tuple[str, ...]
    searched: tuple[str, ...]


def find(name: str, data: bytes, arch: Arch) -> bytes:
    """Return exactly the bytes of the one plain 64-bit vDSO of `arch` in `data`, or in what `data` contains.

    VdsoError(name) when there is none, or several that differ; it says what was found, and where.
    """
    if not data:
        raise VdsoError(name, "empty file, 0x0 bytes", "get the whole file again")
    return choose(name, data, search(name, data, arch), arch).data


def search(name: str, data: bytes, arch: Arch) -> Search:
    """Return every vDSO in `data`, of every kind and with its place. VdsoError(name) where there are too many."""
    found: list[Found] = []
    truncated: list[str] = []
    searched: list[str] = []
    candidates = size = 0
    for where, payload in payloads(name, data):
        searched.append(where)
        for at in _elf_offsets(payload):
            rest = memoryview(payload)[at:]
            try:
                headers = read_headers(rest, None if at == 0 else MOST_SEGMENTS)
                candidates += headers is not None
                if candidates + len(truncated) > MOST_CANDIDATES:
                    raise VdsoError(name, f"holds more than {MOST_CANDIDATES} ELF files", "cut out the one that is meant")
                vdso = headers and _recognised(rest, headers, arch, at == 0)
            except Truncated as problem:
                truncated.append(f"{problem} (ELF file at {at:#x}" + (f" of {where})" if where else ")"))
            else:
                if vdso:
                    what, plain, end = vdso
                    size += end
                    if size > MOST_FOUND:
                        raise VdsoError(
                            name, f"holds more than {MOST_FOUND:#x} bytes of vDSOs", "cut out the one that is meant"
                        )
                    found.append(Found(at, bytes(rest[:end]), what, plain, where))
    return Search(tuple(found), tuple(truncated), tuple(searched))


def choose(name: str, data: bytes, search: Search, arch: Arch) -> Found:
    """Return the plain one. Copies that load the same bytes count as one (a .deb can hold several): the smallest is taken.

    VdsoError(name) as `find`.
    """
    plain = sorted((f for f in search.found if f.plain), key=lambda f: len(f.data))
    if plain:
        if len({_loaded_bytes(f.data) for f in plain}) > 1:
            places = _listed([str(f) for f in plain])
            raise VdsoError(name, f"{len(plain)} plain vDSOs that differ: {places}", "cut out the one that is meant")
        return plain[0]
    whole = search.searched == ("",)
    if whole:
        refuse_rewritten(name, data)
    others = [str(f) for f in search.found]
    todo = ANOTHER.format(arch=arch.name)
    if search.truncated:
        also = f"; found and not taken: {_listed(others)}" if others else ""
        raise VdsoError(name, _listed(search.truncated, "; ") + also, "get the whole file again")
    if others:
        raise VdsoError(name, f"no plain {arch.name} vDSO: found {_listed(others)}", todo)
    if whole:
        refuse_reduced(name, data)
        raise VdsoError(name, _why_none(data, arch), todo)
    what = f"no vDSO in {_listed(search.searched)}" if search.searched else "no kernel image and no vDSO file in it"
    raise VdsoError(name, f"{what} ({len(data):#x} bytes)", todo)


def _listed(texts: Sequence[str], between: str = ", ") -> str:
    """Join as many texts as a message has room for."""
    more = len(texts) - MOST_NAMED
    return between.join(texts[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _elf_offsets(data: bytes) -> list[int]:
    return [match.start() for match in re.finditer(re.escape(MAGIC), data)]


def _why_none(data: bytes, arch: Arch) -> str:
    """Say why there is no vDSO in `data`, as far as its first bytes tell."""
    headers = read_headers(data) if data.startswith(MAGIC) else None
    size = f"0x{len(data):x} bytes"
    if headers is None:
        return f"neither an ELF file nor anything that holds a vDSO ({size})"
    machine = _machine(headers)
    if headers.form.order == ">":
        return f"a big-endian ELF file ({machine}), no vDSO inside ({size})"
    if not headers.form.wide:
        return f"a 32-bit ELF file ({machine}), no vDSO inside ({size})"
    if headers.ehdr.machine != arch.machine:
        return f"an ELF file of another architecture ({machine}, not {arch.name}), no vDSO inside ({size})"
    return f"an ELF file of type {headers.ehdr.type:#x} with no vDSO inside ({size})"


def _machine(headers: Headers) -> str:
    """Return the machine's name as readelf writes it; its number where pyelftools knows no name."""
    name = describe_e_machine(_MACHINES.get(headers.ehdr.machine, ""))
    return f"machine {headers.ehdr.machine:#x}" if name == "<unknown>" else str(name)


def _loaded_bytes(vdso: bytes) -> bytes:
    """Return the bytes that are mapped, without the fields that only say where the section table lies behind them."""
    headers = read_headers(vdso)
    if headers is None or not headers.form.wide:
        return vdso
    load = bytearray(vdso[: headers.loaded])
    load[40:48] = bytes(8)  # e_shoff
    load[58:64] = bytes(6)  # e_shentsize, e_shnum, e_shstrndx
    return bytes(load)


def _recognised(rest: memoryview, headers: Headers, arch: Arch, file: bool) -> tuple[str, bool, int] | None:
    """Return (what, plain, size) of the vDSO that `rest` starts with, None when it is no vDSO. Truncated where it is cut off.

    file        `rest` is a whole payload, so it must not be cut off even if it is no vDSO (vmlinux, a core)
    """
    shared = headers.ehdr.type == elf64.ET_DYN and any(p.type == elf64.PT_DYNAMIC for p in headers.phdrs)
    if not shared or headers.loaded > LARGEST:
        if file:
            headers.check(rest)
        return None
    headers.check(rest, table=False)
    kind = _kind(bytes(rest[: headers.loaded]), headers, arch)
    return None if kind is None else (*kind, _size(rest, headers))


def _size(rest: memoryview, headers: Headers) -> int:
    """Return how many bytes the vDSO has: its segments, and its sections if their table is really there. Truncated."""
    loaded, end = headers.loaded, headers.table_end
    if end > len(rest):
        # A dump of the pages of the segments has zeros where the file went on; a file that was cut off has other bytes.
        page = align_up(loaded, elf64.PAGE)
        if len(rest) % elf64.PAGE == 0 and not any(rest[loaded:page]):
            return loaded
        raise Truncated("section table", end, len(rest))
    table = headers.sections(rest) if end else []
    if not table or any(table[0]) or table[min(headers.ehdr.shstrndx, len(table) - 1)].type != elf64.SHT_STRTAB:
        return loaded  # no table, or other bytes where it was
    contents = max((s.offset + s.size for s in table if s.type != elf64.SHT_NOBITS), default=0)
    if contents > len(rest):
        raise Truncated("section contents", contents, len(rest))
    return max(loaded, end, contents)


def _kind(image: bytes, headers: Headers, arch: Arch) -> tuple[str, bool] | None:
    """Return (what, plain) of a vDSO whose segments are `image`, None for another ELF file. Its addresses are offsets."""
    dynamic = next(p for p in headers.phdrs if p.type == elf64.PT_DYNAMIC)
    tags = headers.form.dynamic(image[dynamic.offset : dynamic.offset + min(dynamic.filesz, LONGEST_DYNAMIC)])
    start = tags.get(elf64.DT_STRTAB, len(image))
    strings = image[start : start + tags.get(elf64.DT_STRSZ, 0)]
    if not SONAME.fullmatch(_string(strings, tags.get(elf64.DT_SONAME, 0))) or not EXPORT.search(strings):
        return None
    if headers.form.order == ">":
        return f"big-endian vDSO ({_machine(headers)})", False
    if not headers.form.wide:
        return f"32-bit compat vDSO ({_machine(headers)})", False
    if headers.ehdr.machine != arch.machine:
        return f"vDSO of another architecture ({_machine(headers)})", False
    auxiliary = _string(strings, tags.get(elf64.DT_AUXILIARY, len(strings))).decode("ascii", "replace")
    if auxiliary.startswith("cf-protection"):
        return f"user-CFI vDSO (DT_AUXILIARY {auxiliary})", False
    if arch.landing_pad and _begins_with(arch.landing_pad, image, headers, tags):
        return f"user-CFI vDSO ({arch.landing_pad.name} instructions)", False
    return f"plain {arch.name} vDSO", True


def _string(strings: bytes, at: int) -> bytes:
    end = strings.find(b"\0", at)
    return strings[at : len(strings) if end < 0 else end]


def _begins_with(mark: Mark, image: bytes, headers: Headers, tags: dict[int, int]) -> bool:
    """Tell whether an export begins with the instruction `mark`."""
    try:
        all_symbols = islice(dynamic_symbols(image, headers.form, tags), MOST_SYMBOLS)
        entries = [s.value for s in all_symbols if s.info & 15 == elf64.STT_FUNC and s.shndx]
    except (KeyError, struct.error, OverflowError):
        return False  # image/table_reader.py names the table that is wrong
    return any(mark.begins(image[entry : entry + 4]) for entry in entries)
