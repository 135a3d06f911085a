# SPDX-License-Identifier: MIT
"""For each rule of verify the ways to break it and nothing else: rule, a part of the text it must say, and the broken image."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from arch.riscv64 import snippets
from arch.riscv64.snippets import NOP, RET
from elf_builder import PREFIX, raw
from image_builder import DATA, HEADER, Patch, foreign, functions, ours, served, with_code
from vdso.elf import elf64
from vdso.verify.rules.hashes import sysv_hash

FAR = 0x10000
PT_GNU_RELRO, PT_GNU_STACK = 0x6474E552, 0x6474E551
DT_FLAGS = 30
CLOCK, DAY, RES, CPU = (PREFIX + name for name in ("clock_gettime", "gettimeofday", "clock_getres", "getcpu"))


@dataclass(frozen=True)
class Sabotage:
    """`text` is a part of each fact that verify must give.

    change      how it is made of any image of ours, where that is possible
    """

    rule: str
    text: str
    image: Callable[[], bytes]
    change: Callable[[Patch], object] | None = None


def patched(rule: str, text: str, change: Callable[[Patch], object], base: Callable[[], bytes] = ours) -> Sabotage:
    def image() -> bytes:
        patch = Patch(base())
        change(patch)
        return patch.image

    return Sabotage(rule, text, image, change if base is ours else None)


def built(rule: str, text: str, **changes: Any) -> Sabotage:
    return Sabotage(rule, text, lambda: ours(target=HEADER, **changes))


def coded(rule: str, text: str, name: str, code: bytes) -> Sabotage:
    """Return a sabotage: the body of one function is `code`, which then makes system call 169 and returns."""
    return built(rule, text, functions=with_code(name, code + snippets.call(169) + RET))


def sysv(patch: Patch) -> tuple[int, int, int]:
    """Return nbucket, address of the buckets, address of the chains."""
    at = patch.value(elf64.DT_HASH)
    return patch.get(at), at + 8, at + 8 + 4 * patch.get(at)


def used_bucket(patch: Patch) -> int:
    """Return the address of a bucket that has a chain."""
    count, buckets, _chains = sysv(patch)
    return next(buckets + 4 * i for i in range(count) if patch.get(buckets + 4 * i))


def drop_first(patch: Patch) -> None:
    at = used_bucket(patch)
    patch.put(at, "<I", patch.get(sysv(patch)[2] + 4 * patch.get(at)))


def chain_end(patch: Patch) -> int:
    """Return the address of the entry that ends a chain."""
    chains = sysv(patch)[2]
    index = patch.get(used_bucket(patch))
    while patch.get(chains + 4 * index):
        index = patch.get(chains + 4 * index)
    return chains + 4 * index


def gnu_chain(patch: Patch, name: str | None = None) -> int:
    """Return the address of a symbol's entry in the chains of DT_GNU_HASH; that of the last entry without a name."""
    at = patch.value(elf64.DT_GNU_HASH)
    buckets, first, bloom = patch.get(at), patch.get(at + 4), patch.get(at + 8)
    nchain = patch.get(patch.value(elf64.DT_HASH) + 4)
    index = nchain - 1 if name is None else patch.index(name)
    return at + 16 + 8 * bloom + 4 * buckets + 4 * (index - first)


def end_gnu_chain_early(patch: Patch) -> None:
    """Mark the first symbol of a chain of several as its end."""
    at = patch.value(elf64.DT_GNU_HASH)
    buckets, first, bloom = patch.get(at), patch.get(at + 4), patch.get(at + 8)
    heads = at + 16 + 8 * bloom
    chains = heads + 4 * buckets
    starts = (
        chains + 4 * (patch.get(heads + 4 * bucket) - first) for bucket in range(buckets) if patch.get(heads + 4 * bucket)
    )
    start = next(start for start in starts if not patch.get(start) & 1)
    patch.put(start, "<I", patch.get(start) | 1)


def gnu(patch: Patch, field: int, value: int) -> None:
    patch.put(patch.value(elf64.DT_GNU_HASH) + 4 * field, "<I", value)


def verdef(patch: Patch, second: bool = True) -> int:
    at = patch.value(elf64.DT_VERDEF)
    return at + patch.get(at + 16) if second else at


def rename_version(patch: Patch) -> None:
    at = verdef(patch)
    patch.put(at + 8, "<I", sysv_hash(b"linux-vdso.so.1"))
    patch.put(at + patch.get(at + 12), "<I", patch.string("linux-vdso.so.1"))


def unname_version(patch: Patch) -> None:
    at = verdef(patch, second=False)
    patch.put(at + patch.get(at + 12), "<I", FAR)


def move_version_behind_load(patch: Patch) -> None:
    """Move the second definition, with its name, behind all that is mapped."""
    first, second, end = verdef(patch, second=False), verdef(patch), len(patch.data)
    patch.data += patch.data[second : second + 28]
    patch.put(end + 12, "<I", 20)
    patch.put(first + 16, "<I", end - first)


def resize_load(patch: Patch, size: int) -> None:
    patch.segment(elf64.PT_LOAD, filesz=size, memsz=size)


def cut(patch: Patch) -> None:
    del patch.data[-1]
    resize_load(patch, len(patch.data))


def move_section(patch: Patch, kind: int, by: int) -> None:
    section = patch.shdr(kind)[1]
    patch.section(kind, addr=section.addr + by, offset=section.offset + by)


def chosen_section(patch: Patch, chosen: Callable[[elf64.Shdr], bool], **fields: int) -> None:
    """Change fields of the first section that is meant."""
    size = elf64.SHDR.size
    for at in range(patch.ehdr.shoff, patch.ehdr.shoff + patch.ehdr.shnum * size, size):
        header = elf64.Shdr(*elf64.SHDR.unpack_from(patch.data, at))
        if chosen(header):
            elf64.SHDR.pack_into(patch.data, at, *header._replace(**fields))
            return
    raise LookupError("section")


def other_section(patch: Patch, **fields: int) -> None:
    """Change fields of a section that no other rule asks for: one of bytes, neither code nor .eh_frame_hdr."""
    named = patch.phdr(elf64.PT_GNU_EH_FRAME)[1].vaddr
    kind = (elf64.SHT_PROGBITS, 0)
    chosen_section(patch, lambda h: (h.type, h.flags & elf64.SHF_EXECINSTR) == kind and h.addr != named, **fields)


def frame_section(patch: Patch, **fields: int) -> None:
    """Change fields of the section of .eh_frame_hdr."""
    at = patch.phdr(elf64.PT_GNU_EH_FRAME)[1].vaddr
    chosen_section(patch, lambda header: header.addr == at, **fields)


def our_note(digit: bytes) -> Callable[[Patch], None]:
    """Change the layout in our note, which is the one digit 2."""

    def change(patch: Patch) -> None:
        at = patch.data.index(b"scons-vdso image 2 ") + len("scons-vdso image ")
        patch.data[at : at + 1] = digit

    return change


def swap_entries(patch: Patch) -> None:
    at = patch.frames + 12
    patch.data[at : at + 16] = patch.data[at + 8 : at + 16] + patch.data[at : at + 8]


def fde(patch: Patch, entry: int) -> int:
    """Return the address of the FDE to which entry number `entry` of .eh_frame_hdr leads."""
    return patch.frames + patch.get(patch.frames + 12 + 8 * entry + 4, "<i")


FRAME_IN_THE_MIDDLE = b"\x44\x0e\x10"
"""From the second instruction on callers are found otherwise: DW_CFA_advance_loc 4, DW_CFA_def_cfa_offset 16."""


def one_frame_for_two(patch: Patch) -> None:
    """Let the FDE of getcpu describe what follows too, and find callers otherwise from the second instruction on."""
    at = fde(patch, 1)
    patch.put(at + 12, "<I", 24)
    patch.data[at + 17 : at + 20] = FRAME_IN_THE_MIDDLE


def swap(patch: Patch, record: struct.Struct, first: int, second: int) -> None:
    """Let two dynamic entries change places."""
    places = [slice(at, at + record.size) for at in (patch.tag(first), patch.tag(second))]
    one, other = (bytes(patch.data[place]) for place in places)
    patch.data[places[0]], patch.data[places[1]] = other, one


def dynamic_first(patch: Patch) -> None:
    """Let PT_DYNAMIC and PT_LOAD change places."""
    places = [slice(at, at + elf64.PHDR.size) for at in (patch.phdr(kind)[0] for kind in (elf64.PT_LOAD, elf64.PT_DYNAMIC))]
    one, other = (bytes(patch.data[place]) for place in places)
    patch.data[places[0]], patch.data[places[1]] = other, one


def end_dynamic_early(patch: Patch) -> None:
    """Let PT_DYNAMIC end where the entry is that ends it."""
    size = patch.tag(elf64.DT_NULL) - patch.phdr(elf64.PT_DYNAMIC)[1].offset
    patch.segment(elf64.PT_DYNAMIC, filesz=size, memsz=size)


def flag_text_relocations(patch: Patch) -> None:
    """Set DF_TEXTREL in DT_FLAGS, which some linkers have written."""
    try:
        patch.set(DT_FLAGS, 4)
    except StopIteration:
        patch.add(DT_FLAGS, 4)


def bump(patch: Patch, at: int, by: int = 2) -> None:
    patch.put(at, "<i", patch.get(at, "<i") + by)


def longer_strings(patch: Patch) -> None:
    """Add one byte to DT_STRTAB that does not end a string."""
    patch.put(patch.value(elf64.DT_STRTAB) + patch.value(elf64.DT_STRSZ), "B", 65)
    patch.set(elf64.DT_STRSZ, patch.value(elf64.DT_STRSZ) + 1)


def half_outside(patch: Patch) -> None:
    """Move half of the versions, of two bytes each, behind the image. No section speaks of them, which would disagree."""
    count = patch.get(patch.value(elf64.DT_HASH) + 4)
    patch.set(elf64.DT_VERSYM, len(patch.data) - count)
    patch.section(elf64.SHT_GNU_VERSYM, type=elf64.SHT_PROGBITS)


def as_eh_frame(kind: int, **fields: int) -> Callable[[Patch], object]:
    """Turn PT_GNU_EH_FRAME into another segment: unwind information may be absent."""
    return lambda p: p.segment(elf64.PT_GNU_EH_FRAME, type=kind, **fields)


def outside(tag: int, name: str) -> Sabotage:
    return patched("pointers-inside", f"{name} from 0x10000", lambda p: p.set(tag, FAR))


BEFORE_SIGRETURN = (
    raw(CPU, snippets.call(168) + RET + NOP, cfi="zR"),
    *(replace(f, gap=0, align=2) for f in functions(HEADER) if f.name != CPU),
)

SABOTAGES = (
    # identity
    patched("readable", "image is not readable as ELF: Magic number does not match", lambda p: p.put(0, "B", 0)),
    patched("architecture", "64-bit little-endian ELF for Advanced Micro Devices X86-64", lambda p: p.header(machine=62)),
    patched("no-core", "is a core, of which the image is one mapping", lambda p: p.header(type=4)),
    Sabotage("architecture", "32-bit little-endian ELF for RISC-V", lambda: foreign(bits=32)),
    Sabotage("architecture", "64-bit big-endian ELF for RISC-V", lambda: foreign(endian=">")),
    patched("too-large", "0x41000 bytes, a vDSO has 0x40000 at most", lambda p: p.data.extend(bytes(0x40000))),
    # header
    patched("et-dyn", "e_type is ET_EXEC", lambda p: p.header(type=2)),
    patched("elf-version", "e_version is 2", lambda p: p.header(version=2)),
    patched("elf-version", "EI_VERSION is 0x2", lambda p: p.put(6, "B", 2)),
    patched("ei-osabi", "EI_OSABI is 0x9", lambda p: p.put(7, "B", 9)),
    patched("ei-osabi", "EI_ABIVERSION is 0x1", lambda p: p.put(8, "B", 1)),
    patched("e-ehsize", "e_ehsize is 0x34, not 0x40", lambda p: p.header(ehsize=0x34)),
    patched("e-phentsize", "e_phentsize is 0x20, not 0x38", lambda p: p.header(phentsize=0x20)),
    patched("program-headers", "e_phnum is 0x0", lambda p: p.header(phnum=0)),
    patched("program-headers", "program headers from 0x1000", lambda p: p.header(phoff=len(p.data))),
    # segments
    patched("one-load", "2 PT_LOAD", as_eh_frame(elf64.PT_LOAD)),
    patched("one-load", "0 PT_LOAD", lambda p: p.segment(elf64.PT_LOAD, type=0)),
    patched("load-at-zero", "offset 0x0, address 0x1000", lambda p: p.segment(elf64.PT_LOAD, vaddr=0x1000)),
    patched("load-flags", "PT_LOAD is R--", lambda p: p.segment(elf64.PT_LOAD, flags=elf64.PF_R)),
    patched("load-flags", "PT_LOAD is --X", lambda p: p.segment(elf64.PT_LOAD, flags=elf64.PF_X)),
    patched("no-write", "PT_LOAD at 0x0 is RWX", lambda p: p.segment(elf64.PT_LOAD, flags=7)),
    patched("load-size", "0x800 bytes in the file and 0x1000", lambda p: p.segment(elf64.PT_LOAD, filesz=0x800)),
    patched("load-size", "ends at 0x10000, the file at", lambda p: resize_load(p, FAR), foreign),
    patched("dynamic-segment", "0 PT_DYNAMIC", lambda p: p.segment(elf64.PT_DYNAMIC, type=0)),
    patched("dynamic-segment", "2 PT_DYNAMIC", as_eh_frame(elf64.PT_DYNAMIC)),
    patched("dynamic-flags", "PT_DYNAMIC is RW-", lambda p: p.segment(elf64.PT_DYNAMIC, flags=6)),
    patched("dynamic-offset", "PT_DYNAMIC at offset 0x20 and", lambda p: p.segment(elf64.PT_DYNAMIC, offset=0x20)),
    patched("dynamic-size", "0x10 bytes in the file", lambda p: p.segment(elf64.PT_DYNAMIC, filesz=0x10)),
    patched("dynamic-size", "and not 0x0", lambda p: p.segment(elf64.PT_DYNAMIC, memsz=0x138)),
    patched("load-first", "PT_DYNAMIC is program header 0x0, PT_LOAD 0x1", dynamic_first),
    patched("known-segments", "program header PT_RISCV_ATTRIBUTES at", as_eh_frame(0x70000003)),
    patched("known-segments", "program header PT_PHDR at", as_eh_frame(6)),
    patched("segments-inside", "from 0x10000 to 0x10024", as_eh_frame(elf64.PT_GNU_EH_FRAME, vaddr=FAR)),
    patched("segments-inside", "at offset 0x8 and at address", as_eh_frame(elf64.PT_GNU_EH_FRAME, offset=8)),
    patched("no-interp", "PT_INTERP at", as_eh_frame(elf64.PT_INTERP)),
    patched("no-relro", "PT_GNU_RELRO at", as_eh_frame(PT_GNU_RELRO)),
    patched("no-tls", "PT_TLS at", as_eh_frame(elf64.PT_TLS)),
    patched("stack-not-executable", "PT_GNU_STACK is RWX", as_eh_frame(PT_GNU_STACK, flags=7)),
    # dynamic
    patched("dt-null", "no DT_NULL in the 13", end_dynamic_early),
    patched("symbol-table", "no DT_SYMTAB", lambda p: p.retag(elf64.DT_SYMTAB)),
    patched("symbol-table", "no DT_STRTAB", lambda p: p.retag(elf64.DT_STRTAB)),
    patched("symbol-table", "no DT_STRSZ", lambda p: p.retag(elf64.DT_STRSZ)),
    patched("hash-first", "DT_HASH comes after DT_SYMTAB", lambda p: swap(p, elf64.DYN, elf64.DT_HASH, elf64.DT_SYMENT)),
    patched("hash-first", "DT_STRTAB comes after", lambda p: swap(p, elf64.DYN, elf64.DT_STRTAB, elf64.DT_SYMTAB)),
    patched("dt-syment", "DT_SYMENT is 0x10, not 0x18", lambda p: p.set(elf64.DT_SYMENT, 16)),
    patched("dt-syment", "no DT_SYMENT", lambda p: p.retag(elf64.DT_SYMENT)),
    patched("dt-relaent", "DT_RELAENT is 0xc, not 0x18", lambda p: p.set(elf64.DT_RELAENT, 12)),
    patched("dt-relaent", "DT_RELA without DT_RELAENT", lambda p: p.retag(elf64.DT_RELAENT)),
    patched("no-relocations", "DT_RELASZ is 0x18", lambda p: p.set(elf64.DT_RELASZ, 24)),
    patched("no-relocations", "DT_RELA is 0x40", lambda p: p.set(elf64.DT_RELA, HEADER)),
    patched("no-relocations", "DT_RELRSZ is 0x8", lambda p: p.add(elf64.DT_RELRSZ, 8)),
    built("no-relocations", "DT_RELA", relocations=1),
    patched("no-needed", "1 DT_NEEDED", lambda p: p.add(elf64.DT_NEEDED, 1)),
    patched("no-textrel", "DT_TEXTREL", lambda p: p.add(elf64.DT_TEXTREL, 0)),
    patched("no-textrel", "DF_TEXTREL in DT_FLAGS 0x4", flag_text_relocations),
    patched("soname", "soname is LINUX_4.15", lambda p: p.set(elf64.DT_SONAME, p.string("LINUX_4.15"))),
    patched("soname", "no DT_SONAME", lambda p: p.retag(elf64.DT_SONAME)),
    outside(elf64.DT_STRTAB, "DT_STRTAB"),
    outside(elf64.DT_SYMTAB, "DT_SYMTAB"),
    outside(elf64.DT_HASH, "DT_HASH"),
    outside(elf64.DT_GNU_HASH, "DT_GNU_HASH"),
    outside(elf64.DT_VERSYM, "DT_VERSYM"),
    outside(elf64.DT_VERDEF, "DT_VERDEF"),
    patched("pointers-inside", "DT_VERSYM from", half_outside),
    patched("pointers-inside", "DT_STRTAB from", lambda p: p.set(elf64.DT_STRSZ, FAR)),
    patched("string-table", "does not begin and end", lambda p: p.put(p.value(elf64.DT_STRTAB), "B", 65)),
    patched("string-table", "does not begin and end", longer_strings),
    built("no-user-cfi", "cf-protection=full", auxiliary="cf-protection=full"),
    # hashes
    patched("dt-hash", "no DT_HASH", lambda p: p.retag(elf64.DT_HASH)),
    patched("dt-gnu-hash", "no DT_GNU_HASH", lambda p: p.retag(elf64.DT_GNU_HASH)),
    patched("hash-buckets", "has no bucket", lambda p: p.put(p.value(elf64.DT_HASH), "<I", 0)),
    patched("hash-buckets", "DT_HASH at", lambda p: p.put(p.value(elf64.DT_HASH), "<I", FAR)),
    patched("hash-buckets", "has no bucket", lambda p: gnu(p, 0, 0)),
    patched("hash-buckets", "DT_GNU_HASH at", lambda p: gnu(p, 0, FAR)),
    patched("hash-nchain", "nchain of DT_HASH is 8", lambda p: bump(p, p.value(elf64.DT_HASH) + 4, -1)),
    patched("hash-lookup", "is not in bucket", drop_first),
    patched("hash-chain-end", "goes on to 0xffff", lambda p: p.put(chain_end(p), "<I", 0xFFFF)),
    patched("hash-chain-end", "goes on to", lambda p: p.put(chain_end(p), "<I", p.get(used_bucket(p)))),
    patched("gnu-hash-bloom-size", "3 bloom words", lambda p: gnu(p, 2, 3)),
    patched("gnu-hash-bloom-empty", "has no bloom word", lambda p: gnu(p, 2, 0)),
    patched("gnu-hash-bloom", "rejects", lambda p: p.put(p.value(elf64.DT_GNU_HASH) + 16, "<Q", 0)),
    patched("gnu-hash-bloom", "by 0x20", lambda p: gnu(p, 3, 32)),
    patched("gnu-hash-lookup", f"does not lead to {CLOCK}", lambda p: bump(p, gnu_chain(p, CLOCK))),
    patched("gnu-hash-lookup", "does not lead to __vdso_", end_gnu_chain_early),
    patched("gnu-hash-chain-end", "has no end", lambda p: bump(p, gnu_chain(p), -1)),
    # versions
    patched("dt-versym", "no DT_VERSYM", lambda p: p.retag(elf64.DT_VERSYM)),
    patched("dt-verdef", "no DT_VERDEF", lambda p: p.retag(elf64.DT_VERDEF)),
    patched("dt-verdef", "no DT_VERDEFNUM", lambda p: p.retag(elf64.DT_VERDEFNUM)),
    patched("verdef-walk", "DT_VERDEFNUM is 0x3", lambda p: p.set(elf64.DT_VERDEFNUM, 3)),
    patched("verdef-walk", "outside of the file", lambda p: p.put(verdef(p, False) + 16, "<I", FAR)),
    patched("verdef-walk", "lies outside of the load, which ends at", move_version_behind_load, foreign),
    patched("verdef-walk", "no name that can be read", unname_version),
    patched("verdef-revision", "is 0x2, not 0x1", lambda p: p.put(verdef(p), "<H", 2)),
    patched("verdef-hash", "vd_hash of LINUX_4.15 is 0x1, must be 0xae77f75", lambda p: p.put(verdef(p) + 8, "<I", 1)),
    patched("version-name", "LINUX_4.15 is not defined (linux-vdso.so.1)", rename_version),
    patched(
        "symbol-version",
        f"{CLOCK} has version index 0x1, LINUX_4.15 is 0x2",
        lambda p: p.put(p.value(elf64.DT_VERSYM) + 2 * p.index(CLOCK), "<H", 1),
    ),
    patched("versym-count", "0x10 bytes of versions", lambda p: bump(p, p.shdr(elf64.SHT_GNU_VERSYM)[0] + 32, -2)),
    # symbols
    built("clock-gettime", f"no {CLOCK}", functions=tuple(f for f in functions(HEADER) if f.name != CLOCK)),
    built("asserted-exports", f"no {CPU}", functions=tuple(f for f in functions(HEADER) if f.name != CPU)),
    patched("symbol-names", "outside of the string table", lambda p: p.symbol(DAY, name=FAR)),
    patched("symbol-type", f"{DAY} is STT_OBJECT", lambda p: p.symbol(DAY, info=0x11)),
    patched("symbol-notype", f"{DAY} is STT_NOTYPE", lambda p: p.symbol(DAY, info=0x10)),
    patched("symbol-bind", f"{DAY} is STB_LOCAL", lambda p: p.symbol(DAY, info=0x02)),
    patched("symbol-bind", f"{DAY} is STB_WEAK", lambda p: p.symbol(DAY, info=0x22)),
    patched("no-undefined", f"{DAY} is undefined", lambda p: p.symbol(DAY, shndx=0)),
    patched("no-undefined", f"{DAY} is undefined", lambda p: p.symbol(DAY, shndx=0, value=0), foreign),
    built("no-undefined", "riscv_isa_ext_keys is undefined", undefined="riscv_isa_ext_keys"),
    patched("symbol-inside", f"{DAY} from 0x10000", lambda p: p.symbol(DAY, value=FAR)),
    patched("symbol-inside", f"{DAY} from", lambda p: p.symbol(DAY, size=0)),
    patched("symbols-apart", f"{CLOCK} ends at", lambda p: p.symbol(CLOCK, size=20)),
    patched(
        "symbol-alias",
        "getcpu is at 0x",
        lambda p: p.symbol(CPU, value=p.symbol_of(DAY).value, size=p.symbol_of(DAY).size),
        lambda: foreign(aliases=(CPU,)),
    ),
    patched("symbol-section", "is in section 80", lambda p: p.symbol(DAY, shndx=80)),
    patched("symbol-section", "is not in code", lambda p: p.symbol(DAY, shndx=p.section_index(elf64.SHT_DYNSYM))),
    # sections
    patched("section-table", "no section table", lambda p: p.header(shoff=0, shnum=0, shstrndx=0)),
    patched("section-table", "the file ends at 0x1000", lambda p: p.header(shoff=0xFF8)),
    patched("e-shentsize", "e_shentsize is 0x28", lambda p: p.header(shentsize=40)),
    patched("section-names", "has no name", lambda p: p.header(shstrndx=0)),
    patched("sections-inside", "the file ends at", lambda p: other_section(p, flags=0, offset=FAR)),
    patched("sections-inside", "at address 0x10000", lambda p: other_section(p, addr=FAR)),
    patched("section-dynsym", "0 sections SHT_DYNSYM", lambda p: p.section(elf64.SHT_DYNSYM, type=1)),
    patched("section-dynsym", "sh_entsize of .dynsym is 0x10", lambda p: p.section(elf64.SHT_DYNSYM, entsize=16)),
    patched("section-dynsym", ".dynsym has 0x30 bytes", lambda p: p.section(elf64.SHT_DYNSYM, size=0x30)),
    patched("section-dynsym", "sh_link of .dynsym is 0x1", lambda p: p.section(elf64.SHT_DYNSYM, link=1)),
    patched("sections-agree", ".hash at", lambda p: move_section(p, elf64.SHT_HASH, 4)),
    patched("sections-agree", "PT_DYNAMIC is at", lambda p: move_section(p, elf64.SHT_DYNAMIC, 8)),
    patched("section-note", "no section SHT_NOTE holds", lambda p: p.section(elf64.SHT_NOTE, type=1)),
    patched("section-frames", ".eh_frame_hdr is not there, PT_GNU_EH_FRAME is at", lambda p: frame_section(p, name=1)),
    patched("section-frames", ".eh_frame_hdr is at 0x40, PT_GNU_EH_FRAME", lambda p: frame_section(p, addr=64, offset=64)),
    built("no-old-symbols", ".symtab at", symtab=True),
    # notes
    patched("notes", "run out of it", lambda p: p.put(p.phdr(elf64.PT_NOTE)[1].offset + 4, "<I", 0x1000), foreign),
    patched("build-id", "no build-id", lambda p: p.put(p.phdr(elf64.PT_NOTE)[1].offset + 8, "<I", 0x42)),
    Sabotage("build-id", "the build-id has 0x4 bytes", lambda: foreign(build_id=b"1234")),
    patched("our-note", "our note has layout 0x1, must have layout 0x2", our_note(b"1")),
    patched("our-note", "our note has no three numbers, must have layout 0x2", our_note(b"x"), lambda: ours(0, HEADER)),
    Sabotage("data-page", "the data page at 0x1008 does not begin a page", lambda: ours(0x1008, HEADER)),
    Sabotage("data-page", "at 0x1000 lies on the image", lambda: ours(0x1000, HEADER, load_size=0x1400)),
    Sabotage("data-page", "the counter at 0x3004 is no aligned word", lambda: ours(counter_offset=0x3004)),
    Sabotage("data-page", "the counter at 0xff8 lies on the image", lambda: ours(counter_offset=0xFF8)),
    Sabotage("data-page", "or on the data page", lambda: ours(counter_offset=DATA + 8)),
    patched("whole-pages", "the file has 0xfff bytes", cut),
    patched("whole-pages", "its load 0x1000", lambda p: p.data.extend(bytes(0x1000)), lambda: ours(-0x1000, -0x1000)),
    # unwinder
    built("sigreturn", "no __vdso_rt_sigreturn", functions=functions(HEADER)[1:]),
    built(
        "sigreturn-bytes",
        "is 01009308b0087300, must be 9308b00873000000",
        functions=(
            raw(PREFIX + "rt_sigreturn", NOP + snippets.call(139)),
            *functions(HEADER)[1:],
        ),
    ),
    patched("eh-frame-header", "begins with 021b033b", lambda p: p.put(p.frames, "B", 2)),
    patched("eh-frame-header", "begins with 011b031b", lambda p: p.put(p.frames + 3, "B", 0x1B)),
    patched("eh-frame-header", "16777216 entries", lambda p: p.put(p.frames + 8, "<I", 0x1000000)),
    patched("eh-frame-pointer", "where no CIE is", lambda p: bump(p, p.frames + 4, 4)),
    patched("eh-frame-sorted", "comes after", swap_entries),
    patched("eh-frame-entries", "where no FDE is", lambda p: bump(p, p.frames + 16, 4)),
    patched("eh-frame-entries", "leads to an FDE for", lambda p: bump(p, p.frames + 12)),
    patched("fde-function", "by another rule at", one_frame_for_two, lambda: ours()),  # which functions are neighbours matters
    patched("fde-function", "not code of the image", lambda p: p.put(fde(p, 1) + 12, "<I", 0)),
    built("fde-function", "no export reaches", functions=(*functions(HEADER), raw("old", RET, export=False, cfi="zR"))),
    built("fde-before-sigreturn", "where __vdso_rt_sigreturn begins", functions=BEFORE_SIGRETURN),
    # code
    Sabotage("kernel-pages", "0x1000 to 0x2000; DATA=after:1 says", lambda: foreign(functions=functions(0x1000))),
    Sabotage("kernel-pages", "-0x4000 to -0x3000; DATA=before:4 says", lambda: foreign(functions=functions(-0x4000))),
    Sabotage("code-inside", "forms 0x40000 at", lambda: foreign(functions=functions(0x40000))),
    Sabotage("code-inside", "data page at -0x1000", lambda: ours(-0x1000, 0x1000)),
    built("code-inside", "forms -0x4000 at", functions=with_code(DAY, served(DAY, 169, -0x4000).code)),
    coded("code-inside", f"{DAY} forms absolute 0x8 at", DAY, snippets.READ_ADDRESS_8),
    coded("code-known", f"{DAY} reaches unknown instructions, addresses or jumps at", DAY, snippets.UNKNOWN),
    coded("code-known", f"{DAY} reaches unknown instructions, addresses or jumps at", DAY, snippets.READ_COMPUTED_ADDRESS),
    coded("code-known", f"{DAY} reads registers that only a kernel sets at", DAY, snippets.READ_KERNEL_STATE),
    coded("code-registers", f"{DAY} writes tp", DAY, snippets.WRITE_TP),
    coded("code-registers", f"{DAY} uses tp", DAY, snippets.READ_TP),
    coded("code-stack", f"{DAY} loads the stack pointer at", DAY, snippets.WRITE_SP),
    coded("code-asks-kernel", f"{RES} never makes system call 0x72", RES, b""),
    built("code-asks-kernel", f"{CLOCK} never makes", functions=with_code(CLOCK, snippets.BRANCH_BACK + RET)),
)
