# SPDX-License-Identifier: MIT
"""What fuzzing found, and was mended: each input as a small generator, with the ending that it has now.

Beside each stands what it did before: another exception (its name), no end that anyone would wait for, too much memory.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace

import core_builder
import image_builder
from arch.riscv64.snippets import NOP, RET
from container_builder import ar
from elf_builder import FUNCTIONS, Function, Spec, raw
from elf_builder import build as build_base
from image_builder import Patch
from vdso.arch.arch import Arch
from vdso.arch.riscv64.facts import RISCV64
from vdso.elf import elf64

from .way import ACCEPTED, CONTAINER, FINDING, FINDINGS, HEADER, MODEL, POLICY, REFUSED, RULES, Case, Way

CLOCK, CPU, CACHE = "__vdso_clock_gettime", "__vdso_getcpu", "__vdso_flush_icache"
SIGRETURN = "__vdso_rt_sigreturn"
PT_PHDR = 6
STT_GNU_IFUNC = 10
MIB = 1 << 20


@dataclass(frozen=True)
class Found:
    """`before`: what the input did when it was found."""

    name: str
    before: str
    ends: str
    case: Callable[[], Case]
    arch: Arch = RISCV64


def base(name: str, before: str, ends: str, change: Callable[[Patch], object], policy: str = "", **spec: object) -> Found:
    """Return a find: a sound base, changed."""

    def made() -> Case:
        patch = Patch(build_base(replace(Spec(sections=False), **spec)))
        change(patch)
        return Case("model", patch.image, policy=policy)

    return Found(name, before, ends, made)


def image(name: str, before: str, change: Callable[[Patch], object]) -> Found:
    """Return a find for `check`: an image of ours, changed."""

    def made() -> Case:
        patch = Patch(image_builder.ours())
        change(patch)
        return Case("image", patch.image)

    return Found(name, before, FINDINGS, made)


def short_in_memory(patch: Patch) -> None:
    """Let PT_DYNAMIC have no byte in memory, and give the second version definition no index."""
    patch.segment(elf64.PT_DYNAMIC, memsz=0)
    first = patch.value(elf64.DT_VERDEF)
    patch.put(first + patch.get(first + 16) + 4, "<H", 0)


def file(name: str, before: str, ends: str, data: Callable[[], bytes]) -> Found:
    return Found(name, before, ends, lambda: Case("file", data()))


def as_it_is(_patch: Patch) -> None:
    """Leave the base as it is: it is the find itself."""


def last_entry(patch: Patch, tag: int, value: int) -> None:
    dynamic = patch.phdr(elf64.PT_DYNAMIC)[1]
    patch.put(dynamic.offset + dynamic.filesz - 16, "<qQ", tag, value)


def definition(patch: Patch, form: str, offset: int, value: int) -> None:
    patch.put(patch.value(elf64.DT_VERDEF) + offset, form, value)


def many_versions(patch: Patch) -> None:
    """Write 8,000 definitions that state to have 65,535 names each, all of them the same."""
    start = 0x2000
    for at in range(start, start + 20 * 8000, 20):
        patch.put(at, "<HHHHIII", 1, 0, 2, 0xFFFF, 0, start + 20 * 8001 - at, 20)
    patch.set(elf64.DT_VERDEF, start)
    patch.set(elf64.DT_VERDEFNUM, 8000)


def copied_symbol(patch: Patch, to: int) -> None:
    at = patch.value(elf64.DT_SYMTAB)
    source = at + 24 * patch.index(CLOCK)
    patch.data[at + 24 * to : at + 24 * to + 24] = patch.data[source : source + 24]


def called(patch: Patch, name: str, to: str) -> None:
    at = patch.value(elf64.DT_STRTAB) + patch.string(name)
    patch.data[at : at + len(name)] = to.encode("latin-1").ljust(len(name), b"x")


def second_fde(patch: Patch) -> None:
    first, second = (patch.frames + patch.get(patch.frames + 16 + 8 * i, "<i") for i in (1, 2))
    patch.put(second + 8, "<i", patch.get(first + 8, "<i") + first - second)


def far_symbols() -> bytes:
    patch = Patch(build_base(Spec(sections=False)))
    patch.set(elf64.DT_SYMTAB, (1 << 64) - 24)
    return patch.image


def note_first(patch: Patch) -> None:
    note, load = patch.phdr(elf64.PT_NOTE), patch.phdr(elf64.PT_LOAD)
    elf64.PHDR.pack_into(patch.data, load[0], *note[1])
    elf64.PHDR.pack_into(patch.data, note[0], *load[1])


def falling_through(count: int, size: int) -> tuple[Function, ...]:
    """Return exports that all go on through the same code."""
    return (*(raw(f"__vdso_f{i}", NOP * 2) for i in range(count)), raw("code", NOP * (size // 2 - 1) + RET, export=False))


def large_code() -> Case:
    return Case("model", build_base(Spec(functions=(*FUNCTIONS, *falling_through(40, 0x3E000)), sections=False)))


def elf_header(phnum: int, phoff: int) -> bytes:
    ident = b"\x7fELF\2\1\1" + bytes(9)
    return elf64.EHDR.pack(ident, elf64.ET_DYN, 243, 1, 0, phoff, 0, 0, 64, 56, phnum, 0, 0, 0)


def many_segments() -> bytes:
    """Return 4 MiB of ELF headers, each of which names 60,000 program headers."""
    return bytes(64) + elf_header(60000, 64) * (4 * MIB // 64)


def long_dynamic() -> bytes:
    """Return headers with a PT_DYNAMIC of 1 MiB each, one in the other."""
    count, size = 4300, 120
    data = bytes(64)
    for left in range(count, 0, -1):
        data += elf_header(1, 64) + elf64.PHDR.pack(elf64.PT_DYNAMIC, 4, left * size, 0, 0, MIB - left * size, 0, 8)
    return data + b"\1" * MIB


def cut_headers() -> bytes:
    return bytes(64) + elf_header(1, 1 << 40) * 70000


def overlapping() -> bytes:
    """Return 4,000 vDSOs of 1 MiB in 16 MiB."""
    patch = Patch(build_base(Spec(sections=False)))
    patch.segment(elf64.PT_LOAD, filesz=MIB, memsz=MIB)
    return patch.image.ljust(0x1000, b"\0") * 4000 + bytes(MIB)


def zstd_of(head: bytes, mib: int) -> bytes:
    """Compress `head` and zeros behind it: a block of four bytes stands for 128 KiB of them (RFC 8878, 3.1.1.2)."""
    raw_block = struct.pack("<I", len(head) << 3)[:3] + head
    zeros = struct.pack("<I", (1 << 17) << 3 | 1 << 1)[:3] + b"\0"
    last = struct.pack("<I", 1)[:3]
    return b"\x28\xb5\x2f\xfd\x00\x38" + raw_block + zeros * (8 * mib) + last


def tar_header(kind: bytes, size: bytes) -> bytes:
    header = bytearray(512)
    header[0:6] = b"other\0"
    header[100:108] = b"0000644\0"
    header[124:136] = size
    header[156:157] = kind
    header[257:265] = b"ustar\x0000"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def long_pax_header() -> bytes:
    """Return a .deb whose pax records take 7 GiB, which tarfile reads at once."""
    return deb(zst=zstd_of(tar_header(b"x", b"%011o\0" % (7 << 30)), 7 << 10))


def long_member() -> bytes:
    """Return a .deb with a member of 2^60 bytes, which tarfile skips in steps of 10 KiB."""
    return deb(zst=zstd_of(tar_header(b"0", b"\x80\0\0\0" + (1 << 60).to_bytes(8, "big")), 1))


def cut_sparse_map() -> bytes:
    """Return a .deb in which the map of a sparse file goes on in a block that is not there."""
    header = bytearray(tar_header(b"S", b"%011o\0" % 5))
    header[482] = 1  # isextended
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return deb(zst=zstd_of(bytes(header), 0))


def deb(**data_tar: bytes) -> bytes:
    return ar(**{"debian-binary": b"2.0\n", **{f"data.tar.{kind}": data for kind, data in data_tar.items()}})


def note_by_note() -> bytes:
    """Return a core of 20,000 segments PT_NOTE, all with the same 40,000 notes."""
    count, notes = 20000, core_builder.note("<", b"odd", 1, b"") * 40000
    ident = b"\x7fELF\2\1\1" + bytes(9)
    head = elf64.EHDR.pack(ident, 4, 243, 1, 0, 64, 0, 0, 64, 56, count, 0, 0, 0)
    return head + elf64.PHDR.pack(elf64.PT_NOTE, 4, 64 + 56 * count, 0, 0, len(notes), 0, 4) * count + notes


def large_auxv() -> bytes:
    """Return a core with an auxiliary vector of 256 MiB."""
    note = struct.pack("<III", 5, 256 * MIB, core_builder.NT_AUXV) + b"CORE\0\0\0\0"
    ident = b"\x7fELF\2\1\1" + bytes(9)
    head = elf64.EHDR.pack(ident, 4, 243, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    size = len(note) + 256 * MIB
    return head + elf64.PHDR.pack(elf64.PT_NOTE, 4, 120, 0, 0, size, 0, 4) + note + b"\1" * (256 * MIB)


def many_functions() -> Case:
    own = image_builder.functions(image_builder.HEADER)
    return Case("image", image_builder.foreign(Spec(functions=(*own, *falling_through(300, 0x38000)))))


ASSERTION = "AssertionError"
FOUND = (
    # tables that loaders and the model read in different ways
    base("a tag twice", ASSERTION, MODEL, lambda p: p.add(elf64.DT_RELAENT, 1)),
    base("tags behind DT_NULL", ASSERTION, ACCEPTED, lambda p: last_entry(p, elf64.DT_TEXTREL, 0)),
    base("a version's name outside of .dynstr", "ValueError", MODEL, lambda p: definition(p, "<I", 20, 0x10000)),
    base("fewer versions than DT_VERDEFNUM says", ASSERTION, MODEL, lambda p: p.set(elf64.DT_VERDEFNUM, 3)),
    base("half a billion names of versions", "minutes", MODEL, many_versions, load_size=0x30000),
    base("strings on the ELF header", ASSERTION, MODEL, lambda p: p.set(elf64.DT_STRTAB, 0)),
    base("versions on the symbols", ASSERTION, MODEL, lambda p: p.set(elf64.DT_VERSYM, p.value(elf64.DT_SYMTAB))),
    base("fewer symbols in one of the hash tables", ASSERTION, MODEL, lambda p: p.put(p.value(elf64.DT_HASH) + 4, "<I", 3)),
    base(
        "fewer symbols than the sections have",
        ASSERTION,
        ACCEPTED,
        lambda p: p.put(p.value(elf64.DT_HASH) + 4, "<I", 3),
        hashes=("sysv",),
        sections=True,
    ),
    base("symbol 0 is a function", ASSERTION, MODEL, lambda p: copied_symbol(p, 0)),
    # what only one of two readers takes for an export
    base("a function that is an object", ASSERTION, REFUSED, lambda p: p.symbol(CPU, info=0x11)),
    base("an indirect function", ASSERTION, REFUSED, lambda p: p.symbol(CPU, info=STT_GNU_IFUNC | 0x10)),
    base("a local rt_sigreturn", ASSERTION, REFUSED, lambda p: p.symbol(SIGRETURN, info=0)),
    base("an undefined clock_gettime", ASSERTION, REFUSED, lambda p: p.symbol(CLOCK, shndx=0)),
    base("two functions of one name", "one of them lost", REFUSED, lambda p: p.symbol(CPU, name=p.string(CLOCK))),
    base(
        "two functions of one name in vdso.h",
        "a macro twice",
        REFUSED,
        lambda p: p.symbol(CPU, name=p.string(CACHE) + len("__vdso_")),
    ),
    base("a name that is C code", "that code in vdso.h", ACCEPTED, lambda p: called(p, CPU, "__vdso_\n#err")),
    base("a name that no hash of ours fits", ASSERTION, ACCEPTED, lambda p: called(p, CPU, "__vdso_get\xff")),
    # what LIEF writes in its own way, or not at all
    base("PT_NOTE before PT_LOAD", ASSERTION, ACCEPTED, note_first),
    base("a segment that LIEF rewrites", ASSERTION, ACCEPTED, lambda p: p.segment(elf64.PT_GNU_EH_FRAME, type=PT_PHDR)),
    base("an alignment that LIEF cuts", ASSERTION, ACCEPTED, lambda p: p.segment(elf64.PT_GNU_EH_FRAME, align=-24 % (1 << 64))),
    base("an alignment of the load that LIEF cuts", ASSERTION, HEADER, lambda p: p.segment(elf64.PT_LOAD, align=1 << 40)),
    base("a size of section headers that LIEF keeps", ASSERTION, ACCEPTED, lambda p: p.header(shentsize=40)),
    base("a weak function", ASSERTION, ACCEPTED, lambda p: p.symbol(CLOCK, info=0x22)),
    base("two FDEs for one function", ASSERTION, MODEL, second_fde),
    base("unwind information for no function", ASSERTION, ACCEPTED, lambda p: p.put(p.frames + 8, "<I", 0)),
    base(
        "an owner of a note that does not end",
        RULES,
        MODEL,
        lambda p: p.put(p.phdr(elf64.PT_NOTE)[1].offset + 15, "B", 0xFF),
    ),
    file("symbols at the end of all addresses", "OverflowError", MODEL, far_symbols),
    # what the proof does not see in a base, but in the image
    base("a table that is not in memory, and versions of nobody", ASSERTION, MODEL, short_in_memory),
    # the user's word, and what a base breaks by itself
    base("POLICY hides what the kernel needs", ASSERTION, POLICY, as_it_is, policy="rt_sigreturn:hide"),
    base("another name of the object", ASSERTION, RULES, lambda p: p.set(elf64.DT_SONAME, p.string("LINUX_4.15"))),
    base("another ABI", ASSERTION, RULES, lambda p: p.put(8, "B", 1)),
    base("a version that nobody asks for", ASSERTION, RULES, as_it_is, version="LINUX_2.6"),
    # what the proof passed
    image("a bloom filter that shifts too far", "accepted", lambda p: p.put(p.value(elf64.DT_GNU_HASH) + 12, "<I", 32)),
    image("a name of two lines", "a finding of two lines", lambda p: called(p, CPU, "__vdso_\n\n")),
    # what had no bound
    Found("300 functions for the proof", "minutes", FINDINGS, many_functions),
    Found("forty functions of 0x3e000 bytes", "minutes", ACCEPTED, large_code),
    file("60,000 program headers in each of 65,536 files", "no end", FINDING, many_segments),
    file("33,000 dynamic entries in each of 4,300 files", "minutes", FINDING, long_dynamic),
    file("70,000 files that are cut off", "a line of 6 MiB", FINDING, cut_headers),
    file("4,000 vDSOs of 1 MiB in each other", "4 GiB of memory", FINDING, overlapping),
    file("pax records of 7 GiB", "7 GiB of memory", CONTAINER, long_pax_header),
    file("a member of 2^60 bytes", "no end", CONTAINER, long_member),
    file("a sparse map that is cut off", "IndexError", CONTAINER, cut_sparse_map),
    file("20,000 times 40,000 notes", "no end", CONTAINER, note_by_note),
    file("an auxiliary vector of 256 MiB", "4 GiB of memory", CONTAINER, large_auxv),
)


def of(arch: Arch) -> tuple[Found, ...]:
    """Return what was found in files of an architecture."""
    return tuple(found for found in FOUND if found.arch is arch)


def case(number: int, way: Way) -> Case:
    return of(way.arch)[number].case()
