# SPDX-License-Identifier: MIT
"""Synthetic vDSO bases as bytes: edge cases need no binary in the repository, and no compiler to make one.

    build(Spec())                                       a base that is laid out as Linux 6.12's is, for the default architecture
    build(Spec(hashes=("gnu",), sections=False))        one with DT_GNU_HASH only and no section table
    build(Spec(functions=(sigreturn(), thunk(PREFIX + "clock_gettime", "local"), reader("local", 700, export=False))))
    assemble(Spec()).functions[PREFIX + "getcpu"]       (address, size)

Layout: the tables in the order of Linux's vdso.lds.S, then `.text`; one R-X load that holds headers and all of it.
Code is that of the default architecture, unless a function is given the snippets of another one; also where `machine` says
another architecture, for a base that is refused before anybody looks at its code.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from arch.riscv64 import snippets as default_snippets
from snippets import Snippets
from vdso.arch import DEFAULT
from vdso.arch.arch import Arch
from vdso.elf import elf64
from vdso.ranges import align_up

LINUX_DATA = -0x4000
PREFIX = DEFAULT.export_prefix
SHF_WA, SHF_A, SHF_AX = 3, 2, 6
PT_PHDR, PT_GNU_STACK, PT_GNU_RELRO, PT_GNU_PROPERTY = 6, 0x6474E551, 0x6474E552, 0x6474E553
PT_RISCV_ATTRIBUTES = 0x70000003
PROPERTY = ".note.gnu.property"
ATTRIBUTES = b"A\x05\0\0\0"

Code = Callable[[int, Mapping[str, int]], bytes]


@dataclass(frozen=True)
class Function:
    """`code(address, addresses of all functions)` gives exactly `size` bytes.

    export      in .dynsym; else local: code without a name
    gap         bytes of `trap` before it, on top of its alignment
    cfi         "zR", "zRS" (a signal frame) or "": no FDE
    lead, more  how many bytes before it, and behind it, its FDE describes too
    rules       instructions of its FDE
    short       how many bytes its symbol lacks
    """

    name: str
    size: int
    code: Code
    export: bool = True
    gap: int = 0
    align: int = 2
    cfi: str = ""
    lead: int = 0
    more: int = 0
    rules: bytes = b""
    short: int = 0


def raw(name: str, code: bytes, export: bool = True, gap: int = 0, align: int = 2, cfi: str = "") -> Function:
    """Return a function of exactly these bytes."""
    return Function(name, len(code), lambda _address, _all: code, export, gap, align, cfi)


def system_call(name: str, number: int, gap: int = 0, snippets: Snippets = default_snippets) -> Function:
    """Return a function that makes one system call, as Linux's getcpu and flush_icache do."""
    return raw(name, snippets.call(number) + snippets.RET, gap=gap, align=4, cfi="zR")


def sigreturn(name: str = PREFIX + "rt_sigreturn", arch: Arch = DEFAULT) -> Function:
    """Return the code that unwinders match."""
    return raw(name, arch.sigreturn, align=4, cfi="zRS")


def reader(
    name: str,
    size: int,
    target: int = LINUX_DATA,
    export: bool = True,
    gap: int = 0,
    snippets: Snippets = default_snippets,
) -> Function:
    """Return a function that reads 8 bytes at image address `target`, runs nops, and returns 0."""
    nops, rest = divmod(size - len(snippets.read(0, 0) + snippets.RETURN_ZERO), len(snippets.NOP))
    assert nops >= 0
    assert rest == 0

    def code(address: int, _all: Mapping[str, int]) -> bytes:
        return snippets.read(address, target) + snippets.NOP * nops + snippets.RETURN_ZERO

    return Function(name, size, code, export, gap)


def thunk(name: str, target: str, gap: int = 0, snippets: Snippets = default_snippets) -> Function:
    """Return a function as Linux 6.8's are: a stack frame made and undone, then a tail jump to `target`."""
    frame = snippets.FRAME

    def code(address: int, functions: Mapping[str, int]) -> bytes:
        return frame + snippets.jump(address + len(frame), functions[target])

    return Function(name, len(frame + snippets.jump(0, 0)), code, True, gap)


def landing_pad(function: Function) -> Function:
    """Return the same function of a user-CFI base: a landing pad comes first."""

    def code(address: int, functions: Mapping[str, int]) -> bytes:
        return default_snippets.LANDING_PAD + function.code(address + 4, functions)

    return Function(function.name, function.size + 4, code, function.export, function.gap, 4, function.cfi)


FUNCTIONS = (
    sigreturn(),
    reader(PREFIX + "clock_gettime", 610, gap=2),
    reader(PREFIX + "gettimeofday", 398),
    reader(PREFIX + "clock_getres", 118),
    system_call(PREFIX + "getcpu", 168),
    system_call(PREFIX + "flush_icache", 259),
    reader(PREFIX + "riscv_hwprobe", 252),
)


@dataclass(frozen=True)
class Spec:
    """What to build. The defaults are Linux 6.12's.

    functions       in the order of their addresses
    hashes          which of "sysv", "gnu"
    bloom           words of the bloom filter of "gnu", a power of two
    lld             as ld.lld does: DT_HASH behind DT_SYMTAB, and PT_RISCV_ATTRIBUTES, whose bytes lie behind the load
    first           types of more program headers, which name nothing and come before the load
    load_flags      of PT_LOAD
    sections        a section table (behind the load), or none
    symtab          also .symtab and .strtab that name every function, local ones too
    spare           entries DT_NULL after the one that ends .dynamic
    covered         bytes behind .dynamic that PT_DYNAMIC covers too
    load_size       the load's bytes at least; zeros after the code
    linux           Linux version code of the note, None: no such note
    build_id        its bytes, None: no such note. With both None there is no PT_NOTE
    property        a GNU property note in a PT_NOTE of its own, and PT_GNU_PROPERTY
    undefined       name of an undefined symbol in .dynsym
    relocations     entries of DT_RELA (Linux's own bases have DT_RELA with value 0)
    aliases         functions that have a weak symbol of their name without the prefix too, by their names
    patched         functions whose first word Linux patches at boot, by their names: entries of the architecture's list
    auxiliary       string of DT_AUXILIARY
    bits, endian    32 or 64; "<" or ">"
    arch            of its unwind information, of its list of patched code, and of how its code is aligned
    """

    functions: tuple[Function, ...] = FUNCTIONS
    soname: str = "linux-vdso.so.1"
    version: str = "LINUX_4.15"
    hashes: tuple[str, ...] = ("sysv", "gnu")
    bloom: int = 1
    lld: bool = False
    first: tuple[int, ...] = ()
    load_flags: int = elf64.PF_R | elf64.PF_X
    sections: bool = True
    symtab: bool = False
    spare: int = 5
    covered: bytes = b""
    load_size: int = 0
    linux: int | None = 0x060C75
    build_id: bytes | None = bytes(range(20))
    property: bool = False
    eh_frame: bool = True
    section_symbol: bool = True
    undefined: str = ""
    relocations: int = 0
    aliases: tuple[str, ...] = ()
    patched: tuple[str, ...] = ()
    auxiliary: str = ""
    second_load: bool = False
    bits: int = 64
    endian: str = "<"
    machine: int = 243
    type: int = elf64.ET_DYN
    flags: int = 1
    trap: bytes = b"\0\0"
    arch: Arch = DEFAULT


@dataclass(frozen=True)
class Built:
    """The file and where things are in it: name to (address, size); addresses are file offsets too."""

    data: bytes
    functions: Mapping[str, tuple[int, int]]
    sections: Mapping[str, tuple[int, int]]
    load_size: int


@dataclass(frozen=True)
class _Form:
    """Packs the records of one ELF class and byte order."""

    bits: int
    endian: str

    def pack(self, wide: str, narrow: str, *values: int | bytes) -> bytes:
        return struct.pack(self.endian + (wide if self.bits == 64 else narrow), *values)

    def words(self, *values: int) -> bytes:
        return struct.pack(f"{self.endian}{len(values)}I", *values)

    def sym(self, name: int, info: int, shndx: int, value: int, size: int) -> bytes:
        if self.bits == 64:
            return struct.pack(self.endian + "IBBHQQ", name, info, 0, shndx, value, size)
        return struct.pack(self.endian + "IIIBBH", name, value, size, info, 0, shndx)

    def phdr(self, kind: int, flags: int, offset: int, size: int, align: int) -> bytes:
        if self.bits == 64:
            return struct.pack(self.endian + "IIQQQQQQ", kind, flags, offset, offset, offset, size, size, align)
        return struct.pack(self.endian + "8I", kind, offset, offset, offset, size, size, flags, align)


def sysv_hash(name: str) -> int:
    h = 0
    for byte in name.encode():
        h = (h << 4) + byte
        h = (h ^ (h >> 24 & 0xF0)) & 0x0FFFFFFF
    return h


def gnu_hash(name: str) -> int:
    h = 5381
    for byte in name.encode():
        h = (h * 33 + byte) & 0xFFFFFFFF
    return h


class _Strings:
    def __init__(self) -> None:
        self.data = b"\0"

    def add(self, text: str) -> int:
        wanted = text.encode() + b"\0"
        if wanted not in self.data:
            self.data += wanted
        return self.data.index(wanted)


@dataclass
class _Part:
    """One section while it is laid out. `fill` makes the content when every address is known."""

    name: str
    type: int
    size: int
    fill: Callable[[], bytes]
    flags: int = SHF_A
    align: int = 8
    entsize: int = 0
    link: str = ""
    info: int = 0
    at: int = 0


def _gnu_order(names: list[str], buckets: int) -> list[str]:
    return sorted(names, key=lambda name: gnu_hash(name) % buckets)


def _sysv_table(form: _Form, names: list[str]) -> bytes:
    """Return DT_HASH (gABI, chapter 5, "Hash Table"). `names` are those of the whole .dynsym, "" where there is none."""
    count = 3
    buckets, chains = [0] * count, [0] * len(names)
    for i, name in reversed(list(enumerate(names))):
        if name:
            slot = sysv_hash(name) % count
            chains[i], buckets[slot] = buckets[slot], i
    return form.words(count, len(names), *buckets, *chains)


def _gnu_table(form: _Form, names: list[str], first: int, words: int) -> bytes:
    count, shift = 3, 6
    buckets, chains, bloom = [0] * count, [], [0] * words
    for i in range(first, len(names)):
        h = gnu_hash(names[i])
        slot = h % count
        buckets[slot] = buckets[slot] or i
        last = i + 1 == len(names) or gnu_hash(names[i + 1]) % count != slot
        chains.append(h & ~1 | last)
        bloom[h // form.bits % words] |= 1 << h % form.bits | 1 << (h >> shift) % form.bits
    filtered = b"".join(form.pack("Q", "I", word) for word in bloom)
    return form.words(count, first, words, shift) + filtered + form.words(*buckets, *chains)


def _cie(form: _Form, augmentation: str, leaf: bytes) -> bytes:
    """Return a CIE with another augmentation than `leaf` has, the one of a function without a frame."""
    version, _, rest = leaf.partition(b"zR")
    body = form.words(0) + version + augmentation.encode() + rest
    body = body.ljust(0x14, b"\0")
    return form.words(len(body)) + body


def _eh_frame(
    form: _Form, at: int, functions: tuple[Function, ...], where: Mapping[str, int], leaf: bytes
) -> tuple[bytes, bytes]:
    """Return (.eh_frame, the search table of .eh_frame_hdr without its head)."""
    out, table = b"", []
    for kind in ("zRS", "zR"):
        covered = [f for f in functions if f.cfi == kind]
        cie = len(out)
        out += _cie(form, kind, leaf) if covered else b""
        for f in covered:
            start, size = where[f.name] - f.lead, f.lead + f.size + f.more
            table.append((start, at + len(out)))
            out += form.words(0x14, len(out) + 4 - cie)
            out += struct.pack(form.endian + "iI", start - (at + len(out)), size) + (b"\0" + f.rules).ljust(8, b"\0")
    out += form.words(0)
    header = at - (12 + 8 * len(table))
    flat = [value - header for entry in sorted(table) for value in entry]
    return out, struct.pack(f"{form.endian}{len(flat)}i", *flat)


def _note(form: _Form, owner: bytes, kind: int, desc: bytes) -> bytes:
    owner += b"\0"
    padded = owner.ljust(align_up(len(owner), 4), b"\0")
    return form.words(len(owner), len(desc), kind) + padded + desc.ljust(align_up(len(desc), 4), b"\0")


class _Base:
    """A base while it is made: first its tables with their sizes, then the address of each, then what is in them."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.form = _Form(spec.bits, spec.endian)
        self.word = spec.bits // 8
        self.parts: dict[str, _Part] = {}
        self.addresses: dict[str, int] = {}
        self.aliases = {name.removeprefix(spec.arch.export_prefix): name for name in spec.aliases}
        exports = [f.name for f in spec.functions if f.export] + [*self.aliases, spec.version]
        if "gnu" in spec.hashes:
            exports = _gnu_order(exports, 3)
        self.first = 1 + spec.section_symbol + bool(spec.undefined)
        """Index of the first symbol that hash tables have."""
        self.names = ["", *[""] * spec.section_symbol, *[spec.undefined] * bool(spec.undefined), *exports]
        self.strings = _Strings()
        self.name_offsets = [self.strings.add(name) if name else 0 for name in self.names]
        self.soname = self.strings.add(spec.soname)
        self.auxiliary = self.strings.add(spec.auxiliary) if spec.auxiliary else 0
        self.version = self.strings.add(spec.version)

    def add(self, part: _Part) -> None:
        if part.size:
            self.parts[part.name] = part

    def at(self, name: str) -> int:
        return self.parts[name].at if name in self.parts else 0

    def index(self, name: str) -> int:
        return 1 + list(self.parts).index(name) if name in self.parts else 0

    def add_tables(self) -> None:
        """Add all parts but the code, in the order of Linux's vdso.lds.S."""
        spec, symbol = self.spec, 8 + 2 * self.word
        sysv = _sysv_table(self.form, [name if i >= self.first else "" for i, name in enumerate(self.names)])
        gnu = _gnu_table(self.form, self.names, self.first, spec.bloom)
        if "sysv" in spec.hashes:
            self.add(_Part(".hash", elf64.SHT_HASH, len(sysv), lambda: sysv, entsize=4, link=".dynsym"))
        if "gnu" in spec.hashes:
            self.add(_Part(".gnu.hash", elf64.SHT_GNU_HASH, len(gnu), lambda: gnu, link=".dynsym"))
        self.add(_Part(".dynsym", elf64.SHT_DYNSYM, symbol * len(self.names), self.dynsym, entsize=symbol, link=".dynstr",
                       info=1 + spec.section_symbol))  # fmt: skip
        self.add(_Part(".dynstr", elf64.SHT_STRTAB, len(self.strings.data), lambda: self.strings.data, align=1))
        versions = self.versym()
        self.add(_Part(".gnu.version", elf64.SHT_GNU_VERSYM, len(versions), self.versym, align=2, entsize=2, link=".dynsym"))
        self.add(_Part(".gnu.version_d", elf64.SHT_GNU_VERDEF, len(self.verdef()), self.verdef, link=".dynstr", info=2))
        self.add(_Part(".dynamic", elf64.SHT_DYNAMIC, len(self.dynamic()), self.dynamic, SHF_WA, entsize=2 * self.word,
                       link=".dynstr"))  # fmt: skip
        self.add(_Part(".got", elf64.SHT_PROGBITS, len(spec.covered), lambda: spec.covered, SHF_WA))
        self.add(_Part(".rela.dyn", 4, len(self.rela()), self.rela, entsize=3 * self.word, link=".dynsym"))
        self.add(_Part(".rodata", elf64.SHT_PROGBITS, 8, lambda: bytes(8), SHF_WA))
        self.add(_Part(".note", elf64.SHT_NOTE, len(self.notes()), self.notes, align=4))
        if spec.property:
            self.add(_Part(PROPERTY, elf64.SHT_NOTE, len(self.property_note()), self.property_note))
        if spec.eh_frame:
            self.add(_Part(".eh_frame_hdr", elf64.SHT_PROGBITS, len(self.frame_header()), self.frame_header, align=4))
            self.add(_Part(".eh_frame", elf64.SHT_PROGBITS, len(self.frames()[0]), lambda: self.frames()[0], align=4))
        self.add(
            _Part(spec.arch.alternatives.section, elf64.SHT_PROGBITS, len(self.alternatives()), self.alternatives, align=4)
        )

    def place(self) -> None:
        """Give each table and each function its address, from the end of the program headers on."""
        position = self.header_size + self.phdr_size * len(self.segments())
        for part in self.parts.values():
            part.at = position = align_up(position, part.align)
            position += part.size
        start = position = align_up(position, 16)
        for f in self.spec.functions:
            self.addresses[f.name] = position = align_up(position + f.gap, max(f.align, self.spec.arch.code_unit))
            position += f.size
        self.add(_Part(".text", elf64.SHT_PROGBITS, position - start, self.text, SHF_AX, 4, at=start))

    def file(self) -> Built:
        """Return the file, once all is in its place."""
        load_size = max(self.at(".text") + self.parts[".text"].size, self.spec.load_size)
        if self.spec.second_load:
            self.add(_Part(".data", elf64.SHT_PROGBITS, 16, lambda: bytes(16), SHF_WA, at=align_up(load_size, elf64.PAGE)))
        out = bytearray(max(load_size, *(part.at + part.size for part in self.parts.values())))
        for part in self.parts.values():
            content = part.fill()
            assert len(content) == part.size, part.name
            out[part.at : part.at + part.size] = content
        phdrs = b""
        without_part = {elf64.PT_LOAD: (0, load_size), PT_RISCV_ATTRIBUTES: (len(out), len(ATTRIBUTES))}
        for kind, flags, name, align in self.segments():
            at, size = (self.at(name), self.parts[name].size) if name else without_part.get(kind, (0, 0))
            size += len(self.spec.covered) if kind == elf64.PT_DYNAMIC else 0
            phdrs += self.form.phdr(kind, flags, at, size, align)
        out += ATTRIBUTES * self.spec.lld
        shoff = shnum = 0
        if self.spec.sections:
            tail, table = self.section_table(len(out))
            shoff, shnum = len(out) + len(tail), len(table) // self.shdr_size
            out += tail + table
        headers = self.header(shoff, shnum) + phdrs
        out[: len(headers)] = headers
        return Built(
            bytes(out),
            {f.name: (self.addresses[f.name], f.size) for f in self.spec.functions},
            {part.name: (part.at, part.size) for part in self.parts.values()},
            load_size,
        )

    @property
    def header_size(self) -> int:
        return 64 if self.word == 8 else 52

    @property
    def phdr_size(self) -> int:
        return 56 if self.word == 8 else 32

    @property
    def shdr_size(self) -> int:
        return 64 if self.word == 8 else 40

    def segments(self) -> list[tuple[int, int, str, int]]:
        """Return type, flags, part and alignment of each program header; "": no part, as the load is none."""
        found = [(kind, elf64.PF_R, "", 8) for kind in self.spec.first]
        found.append((elf64.PT_LOAD, self.spec.load_flags, "", elf64.PAGE))
        if self.spec.second_load:
            found.append((elf64.PT_LOAD, elf64.PF_R | elf64.PF_W, ".data", elf64.PAGE))
        found.append((elf64.PT_DYNAMIC, elf64.PF_R, ".dynamic", 8))
        for kind, name in ((elf64.PT_NOTE, ".note"), (elf64.PT_GNU_EH_FRAME, ".eh_frame_hdr")):
            if name in self.parts:
                found.append((kind, elf64.PF_R, name, 4))
        if self.spec.property:
            found += [(kind, elf64.PF_R, PROPERTY, 8) for kind in (elf64.PT_NOTE, PT_GNU_PROPERTY)]
        if self.spec.lld:
            found.append((PT_RISCV_ATTRIBUTES, elf64.PF_R, "", 1))
        return found

    def header(self, shoff: int, shnum: int) -> bytes:
        spec = self.spec
        ident = b"\x7fELF" + bytes([self.word // 4, 1 + (spec.endian == ">"), 1]) + bytes(9)
        return ident + self.form.pack(
            "HHIQQQIHHHHHH", "HHIIIIIHHHHHH", spec.type, spec.machine, 1, 0, self.header_size, shoff, spec.flags,
            self.header_size, self.phdr_size, len(self.segments()), self.shdr_size, shnum, max(shnum - 1, 0))  # fmt: skip

    def dynsym(self) -> bytes:
        out = self.form.sym(0, 0, 0, 0, 0)
        if self.spec.section_symbol:
            out += self.form.sym(0, elf64.STT_SECTION, self.index(".rodata"), self.at(".rodata"), 0)
        sizes = {f.name: f.size - f.short for f in self.spec.functions}
        for name, offset in list(zip(self.names, self.name_offsets, strict=True))[1 + self.spec.section_symbol :]:
            if name == self.spec.version:
                out += self.form.sym(offset, elf64.STB_GLOBAL << 4 | elf64.STT_OBJECT, elf64.SHN_ABS, 0, 0)
            elif name == self.spec.undefined:
                out += self.form.sym(offset, elf64.STB_GLOBAL << 4, elf64.SHN_UNDEF, 0, 0)
            else:
                info = (elf64.STB_WEAK if name in self.aliases else elf64.STB_GLOBAL) << 4 | elf64.STT_FUNC
                full = self.aliases.get(name, name)
                out += self.form.sym(offset, info, self.index(".text"), self.addresses[full], sizes[full])
        return out

    def versym(self) -> bytes:
        exports = len(self.names) - self.first
        values = [0] * (1 + self.spec.section_symbol) + [1] * bool(self.spec.undefined) + [2] * exports
        return struct.pack(f"{self.form.endian}{len(values)}H", *values)

    def verdef(self) -> bytes:
        """Return the definitions of the object itself and of the one version."""
        half, words = self.form.endian + "4H", self.form.words
        own = struct.pack(half, 1, 1, 1, 1) + words(sysv_hash(self.spec.soname), 20, 28, self.soname, 0)
        return own + struct.pack(half, 1, 0, 2, 1) + words(sysv_hash(self.spec.version), 20, 0, self.version, 0)

    def dynamic(self) -> bytes:
        spec, at = self.spec, self.at
        tags = [(elf64.DT_AUXILIARY, self.auxiliary)] if spec.auxiliary else []
        tags += [(elf64.DT_SONAME, self.soname)]
        hashes = [(elf64.DT_HASH, at(".hash"))] if "sysv" in spec.hashes else []
        hashes += [(elf64.DT_GNU_HASH, at(".gnu.hash"))] if "gnu" in spec.hashes else []
        named = [(elf64.DT_STRTAB, at(".dynstr")), (elf64.DT_SYMTAB, at(".dynsym"))]
        tags += [*reversed(named), *reversed(hashes)] if spec.lld else [*hashes, *named]
        tags += [(elf64.DT_STRSZ, len(self.strings.data)), (elf64.DT_SYMENT, 8 + 2 * self.word)]
        tags += [(elf64.DT_RELA, at(".rela.dyn")), (elf64.DT_RELASZ, 3 * self.word * spec.relocations)]
        tags += [(elf64.DT_RELAENT, 3 * self.word), (elf64.DT_VERDEF, at(".gnu.version_d")), (elf64.DT_VERDEFNUM, 2)]
        tags += [(elf64.DT_VERSYM, at(".gnu.version"))] + [(elf64.DT_NULL, 0)] * (1 + spec.spare)
        return b"".join(self.form.pack("qQ", "iI", *tag) for tag in tags)

    def rela(self) -> bytes:
        return self.form.pack("QQq", "IIi", self.at(".rodata"), 3, 0) * self.spec.relocations

    def notes(self) -> bytes:
        spec = self.spec
        out = _note(self.form, b"GNU", elf64.NT_GNU_BUILD_ID, spec.build_id) if spec.build_id is not None else b""
        return out + (_note(self.form, b"Linux", 0, self.form.words(spec.linux)) if spec.linux is not None else b"")

    def property_note(self) -> bytes:
        """Return a note that says of all code that it has landing pads (GNU_PROPERTY_RISCV_FEATURE_1_AND)."""
        return _note(self.form, b"GNU", elf64.NT_GNU_PROPERTY_TYPE_0, self.form.words(0xC0000000, 4, 1, 0))

    def alternatives(self) -> bytes:
        """Return an entry for each function that is patched; what comes in its place does not matter."""
        form, size_at = self.spec.arch.alternatives.entries[0]
        out, start = b"", self.at(self.spec.arch.alternatives.section)
        for name in self.spec.patched:
            fields = [0] * len(struct.unpack(form, bytes(struct.calcsize(form))))
            fields[0], fields[size_at] = self.addresses.get(name, 0) - start - len(out), 4
            out += struct.pack(form, *fields)
        return out

    def frames(self) -> tuple[bytes, bytes]:
        where = {f.name: self.addresses.get(f.name, 0) for f in self.spec.functions}
        return _eh_frame(self.form, self.at(".eh_frame"), self.spec.functions, where, self.spec.arch.leaf_cie)

    def frame_header(self) -> bytes:
        table, start = self.frames()[1], self.at(".eh_frame_hdr")
        head = struct.pack(self.form.endian + "iI", self.at(".eh_frame") - start - 4, len(table) // 8)
        return b"\x01\x1b\x03\x3b" + head + table

    def text(self) -> bytes:
        start, out, trap = self.at(".text"), b"", self.spec.trap
        for f in self.spec.functions:
            address = self.addresses[f.name]
            code = f.code(address, self.addresses)
            assert len(code) == f.size, f"{f.name}: {len(code)} bytes of code, size {f.size}"
            gap = address - start - len(out)
            out += (trap * gap)[:gap] + code
        return out

    def symtab(self) -> tuple[_Part, _Part]:
        """Return .symtab and .strtab, which name every function."""
        strings, out = _Strings(), self.form.sym(0, 0, 0, 0, 0)
        ordered = sorted(self.spec.functions, key=lambda f: f.export)
        for f in ordered:
            info = (elf64.STB_GLOBAL if f.export else elf64.STB_LOCAL) << 4 | elf64.STT_FUNC
            out += self.form.sym(strings.add(f.name), info, self.index(".text"), self.addresses[f.name], f.size)
        local, entry = 1 + sum(not f.export for f in ordered), 8 + 2 * self.word
        table = _Part(".symtab", elf64.SHT_SYMTAB, len(out), lambda: out, 0, 8, entry, ".strtab", local)
        return table, _Part(".strtab", elf64.SHT_STRTAB, len(strings.data), lambda: strings.data, 0, 1)

    def section_table(self, end: int) -> tuple[bytes, bytes]:
        """Return what lies behind the other parts, from offset `end` on: sections of no load, padded to 8, and all headers."""
        comment = b"GCC: (synthetic)\0"
        extra = [_Part(".comment", elf64.SHT_PROGBITS, len(comment), lambda: comment, 0x30, 1, 1)]
        if self.spec.symtab:
            extra += self.symtab()
        names = _Strings()
        for name in [*self.parts, *(part.name for part in extra), ".shstrtab"]:
            names.add(name)
        extra.append(_Part(".shstrtab", elf64.SHT_STRTAB, len(names.data), lambda: names.data, 0, 1))
        tail = b""
        for part in extra:
            tail += bytes(align_up(end + len(tail), part.align) - end - len(tail))
            part.at = end + len(tail)
            tail += part.fill()
            self.add(part)
        table = bytes(self.shdr_size)
        for part in self.parts.values():
            address = part.at if part.flags & elf64.SHF_ALLOC else 0
            table += self.form.pack(
                "IIQQQQIIQQ", "10I", names.add(part.name), part.type, part.flags, address, part.at, part.size,
                self.index(part.link), part.info, part.align, part.entsize)  # fmt: skip
        return tail + bytes(align_up(end + len(tail), 8) - end - len(tail)), table


def assemble(spec: Spec) -> Built:
    """Return the base of `spec`, and where its functions and sections lie."""
    base = _Base(spec)
    base.add_tables()
    base.place()
    return base.file()


def build(spec: Spec = Spec()) -> bytes:
    """Return the base of `spec` as a file."""
    return assemble(spec).data
