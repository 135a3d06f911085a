# SPDX-License-Identifier: MIT
"""Find the one plain vDSO in a file: a vDSO itself, a memory dump of one, or whatever holds one (a kernel image).

Every `\\x7fELF` of every payload (containers.py) is looked at: a vDSO is an ELF file of type DYN that names itself as
Linux's do and has their exports. Which one it is, and how far it goes, is read from its own headers.
Whether the chosen one can be worked on (one load, no relocations) is for image_reader.py and base_check.py to say.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from ..arch.arch import Arch
from ..elf import elf64
from ..elf.headers import MAGIC, Cut, Headers, dynamic_symbols, read_headers
from ..errors import VdsoError
from ..ranges import align_up
from .containers import payloads

LARGEST = 1 << 20  # Linux's own are below 16 KiB; what is larger is a kernel or a library
MOST_SEGMENTS = 64  # Linux's own have 6 at most
LONGEST_DYNAMIC = 0x1000  # bytes of PT_DYNAMIC that are looked at; Linux's own have 0x160
MOST_SYMBOLS = 0x400
MOST_LOOKS = 1 << 16  # ELF files in one that might be a vDSO: the memory of a machine holds thousands of small libraries
MOST_NAMED = 8  # in a message
MOST_FOUND = 64 << 20  # bytes of all vDSOs that are found in one file
ANOTHER = "give a file with a plain 64-bit vDSO of {arch}, or BASE=minimal"

# arch/*/kernel/vdso/ of Linux: linux-vdso.so.1, linux-vdso64.so.1, linux-compat_vdso.so.1 (riscv), linux-gate.so.1
SONAME = re.compile(rb"linux-(gate|(compat_)?vdso\w*)\.so\.\d+")
EXPORT = re.compile(rb"\0__(vdso|kernel)_\w")
MACHINES = {3: "i386", 8: "MIPS", 20: "PowerPC", 21: "PowerPC64", 22: "S390", 40: "ARM", 62: "x86-64", 183: "AArch64",
            243: "RISC-V", 258: "LoongArch"}  # fmt: skip
RISCV = 243


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
    """What a file holds. `cuts`: a sentence for each ELF file that is truncated; `looked`: the payloads' labels."""

    found: tuple[Found, ...]
    cuts: tuple[str, ...]
    looked: tuple[str, ...]


def find(name: str, data: bytes, arch: Arch) -> bytes:
    """Exactly the bytes of the one plain 64-bit vDSO of `arch` in `data`, containers looked into.

    VdsoError(name) when there is none, saying what was found instead and where, or several that differ.
    """
    if not data:
        raise VdsoError(name, "empty file, 0x0 bytes", "get the whole file again")
    return choose(name, data, search(name, data, arch), arch).data


def search(name: str, data: bytes, arch: Arch) -> Search:
    """Every vDSO in `data`, of every kind and with its place."""
    found: list[Found] = []
    cuts: list[str] = []
    looked: list[str] = []
    looks = size = 0
    for where, payload in payloads(name, data):
        looked.append(where)
        for at in _places(payload):
            rest = memoryview(payload)[at:]
            try:
                headers = read_headers(rest, None if at == 0 else MOST_SEGMENTS)
                looks += headers is not None
                if looks + len(cuts) > MOST_LOOKS:
                    raise VdsoError(name, f"holds more than {MOST_LOOKS:#x} ELF files", "cut out the one that is meant")
                vdso = headers and _vdso(rest, headers, arch, at == 0)
            except Cut as cut:
                cuts.append(f"{cut} (ELF file at {at:#x}" + (f" of {where})" if where else ")"))
            else:
                if vdso:
                    what, plain, end = vdso
                    size += end
                    if size > MOST_FOUND:
                        raise VdsoError(
                            name, f"holds more than {MOST_FOUND:#x} bytes of vDSOs", "cut out the one that is meant"
                        )
                    found.append(Found(at, bytes(rest[:end]), what, plain, where))
    return Search(tuple(found), tuple(cuts), tuple(looked))


def choose(name: str, data: bytes, search: Search, arch: Arch) -> Found:
    """The plain one. Copies that load the same bytes count as one (a .deb can hold several): the smallest."""
    plain = sorted((f for f in search.found if f.plain), key=lambda f: len(f.data))
    if plain:
        if len({_loaded(f.data) for f in plain}) > 1:
            places = _first([str(f) for f in plain])
            raise VdsoError(name, f"{len(plain)} plain vDSOs that differ: {places}", "cut out the one that is meant")
        return plain[0]
    others = [str(f) for f in search.found]
    todo = ANOTHER.format(arch=arch.name)
    if search.cuts:
        also = f"; found and not taken: {_first(others)}" if others else ""
        raise VdsoError(name, _first(search.cuts, "; ") + also, "get the whole file again")
    if others:
        raise VdsoError(name, f"no plain {arch.name} vDSO: found {_first(others)}", todo)
    if search.looked == ("",):
        raise VdsoError(name, _nothing(data, arch), todo)
    looked = f"no vDSO in {_first(search.looked)}" if search.looked else "no kernel image and no vDSO file in it"
    raise VdsoError(name, f"{looked} ({len(data):#x} bytes)", todo)


def _first(texts: Sequence[str], between: str = ", ") -> str:
    """As many as a line holds."""
    more = len(texts) - MOST_NAMED
    return between.join(texts[:MOST_NAMED]) + (f" and {more:#x} more" if more > 0 else "")


def _places(data: bytes) -> list[int]:
    return [match.start() for match in re.finditer(re.escape(MAGIC), data)]


def _nothing(data: bytes, arch: Arch) -> str:
    """Why there is no vDSO in `data`, as far as its first bytes tell."""
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
    return MACHINES.get(headers.ehdr.machine, f"machine {headers.ehdr.machine:#x}")


def _loaded(vdso: bytes) -> bytes:
    """What a vDSO maps, without the fields that only say where the section table lies behind it."""
    headers = read_headers(vdso)
    if headers is None or not headers.form.wide:
        return vdso
    load = bytearray(vdso[: headers.loaded])
    load[40:48] = bytes(8)  # e_shoff
    load[58:64] = bytes(6)  # e_shentsize, e_shnum, e_shstrndx
    return bytes(load)


def _vdso(rest: memoryview, headers: Headers, arch: Arch, file: bool) -> tuple[str, bool, int] | None:
    """(what, plain, size) of the vDSO that `rest` starts with, None when it is no vDSO. Raises Cut.

    file        `rest` is a whole payload: then it is cut off also when it is no vDSO (vmlinux, a core)
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
    """How many bytes the vDSO takes: its segments, and its sections where the table is really there. Raises Cut."""
    loaded, end = headers.loaded, headers.table_end
    if end > len(rest):
        # A dump of the pages that hold the segments has zeros where the file went on. A file that was cut off has not.
        page = align_up(loaded, elf64.PAGE)
        if len(rest) % elf64.PAGE == 0 and not any(rest[loaded:page]):
            return loaded
        raise Cut("section table", end, len(rest))
    table = headers.sections(rest) if end else []
    if not table or any(table[0]) or table[min(headers.ehdr.shstrndx, len(table) - 1)].type != elf64.SHT_STRTAB:
        return loaded  # no table, or other bytes where it was
    contents = max((s.offset + s.size for s in table if s.type != elf64.SHT_NOBITS), default=0)
    if contents > len(rest):
        raise Cut("section contents", contents, len(rest))
    return max(loaded, end, contents)


def _kind(image: bytes, headers: Headers, arch: Arch) -> tuple[str, bool] | None:
    """(what, plain) of a vDSO whose segments are `image`, None for another ELF file. Its addresses are offsets."""
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
    if arch.machine == RISCV and _landing_pads(image, headers, tags):
        return "user-CFI vDSO (lpad instructions)", False
    return f"plain {arch.name} vDSO", True


def _string(strings: bytes, at: int) -> bytes:
    end = strings.find(b"\0", at)
    return strings[at : len(strings) if end < 0 else end]


def _landing_pads(image: bytes, headers: Headers, tags: dict[int, int]) -> bool:
    """Whether an export starts with `lpad`, which is auipc with rd = zero (RISC-V CFI extensions, Zicfilp)."""
    try:
        all_symbols = islice(dynamic_symbols(image, headers.form, tags), MOST_SYMBOLS)
        entries = [s.value for s in all_symbols if s.info & 15 == elf64.STT_FUNC and s.shndx]
    except (KeyError, struct.error, OverflowError):
        return False  # image_reader.py names the table that is wrong
    return any(len(word) == 4 and int.from_bytes(word, "little") & 0xFFF == 0x017
               for word in (image[entry : entry + 4] for entry in entries))  # fmt: skip
