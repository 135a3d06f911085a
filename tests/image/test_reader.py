# SPDX-License-Identifier: MIT
"""What the model says of a vDSO, and which files it is not made of: each number of a file that can be wrong."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import replace

import pytest
from elf_builder import FUNCTIONS, PREFIX, Spec, assemble, reader, sigreturn, thunk
from elf_builder import build as build_base
from image_builder import DT_DEBUG, Patch, note
from spliced import plain_code
from vdso.arch.arch import Alternatives, Entry
from vdso.arch.riscv64.facts import RISCV64
from vdso.elf import elf64
from vdso.elf.elf64 import PAGE
from vdso.elf.limits import MOST_BYTES, MOST_SYMBOLS
from vdso.errors import VdsoError
from vdso.image.model import Note, Vdso
from vdso.image.reader import read_vdso
from vdso.ranges import Span

CLOCK, CPU, CACHE, SIGRETURN = (PREFIX + name for name in ("clock_gettime", "getcpu", "flush_icache", "rt_sigreturn"))
PLAIN = Spec(sections=False)
PT_INTERP, PT_TLS, PT_PHDR = 3, 7, 6
DT_REL, DT_RELSZ, DT_RELR, DT_RELRSZ, DT_JMPREL = 17, 18, 36, 35, 23


def read(data: bytes) -> Vdso:
    return read_vdso("base.so", data, RISCV64)


def changed(change: Callable[[Patch], object], spec: Spec = PLAIN) -> bytes:
    patch = Patch(build_base(spec))
    change(patch)
    return patch.image


def test_the_model_says_what_was_built() -> None:
    built = assemble(Spec())
    base = read(built.data)
    assert (base.name, base.arch, base.file) == ("base.so", RISCV64, built.data)
    assert base.data == built.data[: built.load_size]
    assert {name: (s.value, s.size) for name, s in base.exports.items()} == {
        name: place for name, place in built.functions.items() if name in base.exports
    }
    for name in (".dynstr", ".dynsym", ".gnu.version", ".gnu.version_d", ".hash", ".gnu.hash", ".note", ".eh_frame_hdr"):
        assert base.tables[name] == Span(*built.sections[name])
    assert base.tables[".dynamic"].start == built.sections[".dynamic"][0]
    assert base.tables[".eh_frame"].start == built.sections[".eh_frame"][0]
    assert base.headers == Span(0, 64 + 56 * len(base.phdrs))
    assert (base.maker.linux, base.build_id) == ("6.12.117", bytes(range(20)).hex())
    assert base.tag(elf64.DT_STRSZ) == built.sections[".dynstr"][1]
    assert base.tag(DT_DEBUG) is None


@pytest.mark.parametrize("words", [1, 2, 4, 8, 16])
def test_a_bloom_filter_may_have_more_words(words: int) -> None:
    """DT_GNU_HASH does not say how many symbols it is for: that is the rest of its size."""
    spec = Spec(hashes=("gnu",), bloom=words)
    base = read(build_base(spec))
    assert [symbol.name for symbol in base.symbols] == [symbol.name for symbol in read(build_base(PLAIN)).symbols]
    assert base.tables[".gnu.hash"].size == 16 + 8 * words + 4 * (3 + len(base.symbols) - 2)


def test_exports_are_functions_in_the_order_of_their_addresses() -> None:
    """Local ones, undefined ones, versions and the symbols of sections are none."""
    base = read(build_base(Spec(functions=FUNCTIONS[::-1], undefined="riscv_isa_ext_keys")))
    assert list(base.exports) == [f.name for f in FUNCTIONS[::-1]]
    local = read(changed(lambda p: p.symbol(CPU, info=elf64.STT_FUNC)))
    assert CPU not in local.exports
    assert CPU in {symbol.name for symbol in local.symbols}
    assert CPU not in read(changed(lambda p: p.symbol(CPU, shndx=elf64.SHN_UNDEF))).exports


def test_two_exports_of_one_address_come_by_name() -> None:
    same = changed(lambda p: p.symbol(CACHE, value=p.get(p.value(elf64.DT_SYMTAB) + 24 * p.index(CPU) + 8, "<Q")))
    names = list(read(same).exports)
    assert names.index(CPU) == names.index(CACHE) + 1


def test_what_the_exports_reach_is_all_code_that_they_can_run() -> None:
    functions = (
        sigreturn(),
        thunk(CLOCK, "local"),
        plain_code("idle", 60, export=False),
        plain_code("local", 40, export=False),
    )
    built = assemble(Spec(functions=functions))
    spans = {name: Span(*place) for name, place in built.functions.items()}
    base = read(built.data)
    assert base.reached == (Span.between(spans[SIGRETURN].start, spans[CLOCK].end), spans["local"])


@pytest.mark.parametrize(
    ("one", "linux"),
    [
        (Note(b"Linux\0", 0, struct.pack("<I", 0x060C75)), "6.12.117"),
        (Note(b"Linux\0", 1, struct.pack("<I", 0x060C75)), ""),
        (Note(b"Linux\0", 0, struct.pack("<H", 0x060C)), ""),
        (Note(b"Other\0", 0, struct.pack("<I", 0x060C75)), ""),
    ],
)
def test_the_version_of_linux_is_in_its_own_note(one: Note, linux: str) -> None:
    assert replace(read(build_base()), notes=(Note(b"GNU\0", 3, bytes(20)), one)).maker.linux == linux


@pytest.mark.parametrize(("owner", "desc"), [(b"GNU\0", b"x" * 20), (b"Linux\0", b"xyz"), (b"\0", b"")])
def test_a_note_is_packed_as_it_was_read(owner: bytes, desc: bytes) -> None:
    packed = Note(owner, 7, desc).pack()
    assert packed[:12] == struct.pack("<III", len(owner), len(desc), 7)
    assert len(packed) % 4 == 0
    base = read(changed(lambda p: put_notes(p, packed * 2), replace(PLAIN, build_id=bytes(40))))
    assert base.notes == (Note(owner, 7, desc),) * 2


def put_notes(patch: Patch, notes: bytes) -> None:
    at, phdr = patch.phdr(elf64.PT_NOTE)[0], patch.phdr(elf64.PT_NOTE)[1]
    assert len(notes) <= phdr.filesz
    patch.data[phdr.offset : phdr.offset + len(notes)] = notes
    elf64.PHDR.pack_into(patch.data, at, *phdr._replace(filesz=len(notes), memsz=len(notes)))


@pytest.mark.parametrize(("owner", "same"), [(b"GNU\0\0\0\0\0", b"GNU\0"), (b"Go\0\0", b"Go\0"), (b"\0", b"\0"), (b"", b"")])
def test_an_owner_ends_with_its_first_nul(owner: bytes, same: bytes) -> None:
    """As pyelftools reads it. Go writes two of them (cmd/link, "Go build ID")."""
    assert read(changed(lambda p: put_notes(p, note(owner, 5, b"1234")))).notes == (Note(same, 5, b"1234"),)


@pytest.mark.parametrize("owner", [b"GNU\xff", b"GNU", b"G\0NU", b"\0GNU\0", b"GNU\0\xff"])
def test_an_owner_that_is_no_string_is_refused(owner: bytes) -> None:
    with pytest.raises(VdsoError, match=rf"PT_NOTE: the owner of the note at 0x\w+ is {owner.hex()}, no string with a NUL"):
        read(changed(lambda p: put_notes(p, note(owner, 5, b"1234"))))


def test_bytes_behind_the_last_note_are_passed_over() -> None:
    assert read(changed(lambda p: put_notes(p, note(b"GNU\0", 3, b"1234") + bytes(11)))).build_id == b"1234".hex()


def test_bytes_behind_the_load_are_the_files_alone() -> None:
    base = read(build_base() + b"behind")
    assert base.file.endswith(b"behind")
    assert b"behind" not in base.data


PATCHED = Spec(patched=(PREFIX + "getcpu", PREFIX + "clock_gettime"))
LIST = RISCV64.alternatives.section


def damaged(**fields: int) -> tuple[Span, ...]:
    """Return the code that is patched at boot, by a file whose ELF header is changed."""
    return read(changed(lambda p: p.header(**fields), PATCHED)).patched


def test_code_that_is_patched_at_boot_is_known_by_a_whole_section_table_only() -> None:
    whole = read(build_base(PATCHED))
    count = whole.ehdr.shnum
    assert whole.patched == tuple(Span(whole.exports[name].value, 4) for name in PATCHED.patched)
    assert damaged(shoff=0) == damaged(shentsize=40) == damaged(shstrndx=count) == ()
    assert damaged(shoff=whole.ehdr.shoff + 1) == damaged(shnum=count + 1) == ()
    assert damaged(shnum=count) == whole.patched
    assert read(build_base(replace(PATCHED, sections=False))).patched == ()


def list_of(entries: bytes, *forms: Entry) -> tuple[Span, ...]:
    """Return what a list of these bytes names, by an architecture whose entries have these forms, the newest first."""
    form, _ = RISCV64.alternatives.entries[0]
    count = -(-len(entries) // struct.calcsize(form))
    spec = Spec(patched=(PREFIX + "getcpu",) * count)
    at = assemble(spec).sections[LIST][0]

    def change(patch: Patch) -> None:
        patch.data[at : at + len(entries)] = entries
        header = next(
            place
            for place in range(patch.ehdr.shoff, len(patch.data), elf64.SHDR.size)
            if elf64.Shdr(*elf64.SHDR.unpack_from(patch.data, place)).addr == at
        )
        section = elf64.Shdr(*elf64.SHDR.unpack_from(patch.data, header))
        elf64.SHDR.pack_into(patch.data, header, *section._replace(size=len(entries)))

    arch = replace(RISCV64, alternatives=Alternatives(LIST, forms or RISCV64.alternatives.entries))
    return read_vdso("base.so", changed(change, spec), arch).patched


def test_the_form_of_entries_is_the_one_by_which_all_lead_to_the_load() -> None:
    old, new = Entry("<iiHBB", 3), Entry("<iiHHBB", 4)
    of_old = b"".join(struct.pack(old.form, 0x10 * i, 0, 1, 4 + i, 9) for i in range(7))  # 84 bytes, as 6 of the new form have
    places = tuple(Span(span.start - list_start(len(of_old)), span.size) for span in list_of(of_old, new, old))
    assert places == tuple(Span(0x1C * i, 4 + i) for i in range(7))


def list_start(size: int) -> int:
    form, _ = RISCV64.alternatives.entries[0]
    return assemble(Spec(patched=(PREFIX + "getcpu",) * -(-size // struct.calcsize(form)))).sections[LIST][0]


@pytest.mark.parametrize(
    "entries", [struct.pack("<iiHHI", -0x100000, 0, 0, 4, 0), struct.pack("<iiHHI", 0, 0, 0, 0xFFFF, 0), b"x"]
)
def test_a_list_of_no_form_is_refused(entries: bytes) -> None:
    what = rf"base\.so: {re.escape(LIST)} of {len(entries):#x} bytes has entries of no form that is known; take the vDSO of"
    with pytest.raises(VdsoError, match=what):
        list_of(entries)


def test_a_label_of_assembly_is_an_export_but_an_absolute_one_is_not() -> None:
    def bare(patch: Patch) -> None:
        for name in (PREFIX + "getcpu", "LINUX_4.15"):
            patch.symbol(name, info=elf64.STB_GLOBAL << 4 | elf64.STT_NOTYPE)

    usual, labels = read(build_base()), read(changed(bare, Spec()))
    assert labels.exports.keys() == usual.exports.keys()
    assert labels.exports[PREFIX + "getcpu"].type == elf64.STT_NOTYPE


def version(form: str, offset: int, value: int) -> Callable[[Patch], None]:
    """Change a field of the first version definition."""
    return lambda patch: patch.put(patch.value(elf64.DT_VERDEF) + offset, form, value)


def hash_word(tag: int, index: int, value: int) -> Callable[[Patch], None]:
    return lambda patch: patch.put(patch.value(tag) + 4 * index, "<I", value)


def frame_header(form: str, offset: int, value: int) -> Callable[[Patch], None]:
    return lambda patch: patch.put(patch.frames + offset, form, value)


def first_fde(patch: Patch) -> int:
    """Return the address of the FDE that the table of .eh_frame_hdr names first."""
    return patch.frames + patch.get(patch.frames + 16, "<i")


def relocations(at: int, word: int = 0) -> Callable[[Patch], None]:
    """Return a change: DT_RELA is at `at`, with one entry, for `word` if that is not 0."""

    def change(patch: Patch) -> None:
        patch.set(elf64.DT_RELA, at)
        patch.set(elf64.DT_RELASZ, elf64.RELA.size)
        if word:
            patch.put(at, "<Q", word)

    return change


def too_many_symbols(patch: Patch) -> None:
    """Give DT_HASH alone chains for one symbol more than there may be."""
    patch.retag(elf64.DT_GNU_HASH)
    patch.put(patch.value(elf64.DT_HASH) + 4, "<I", MOST_SYMBOLS + 1)


HEADERS: dict[str, tuple[Callable[[], bytes], str]] = {
    "an empty file": (lambda: b"", "empty; give a vDSO"),
    "a text": (lambda: b"<html>" * 100, "not ELF; give a vDSO"),
    "less than a header": (lambda: build_base()[:63], "not ELF"),
    "another byte order": (lambda: build_base(Spec(endian=">")), "big-endian ELF (EI_DATA 0x2); riscv64 is little-endian"),
    "32 bits": (lambda: build_base(Spec(bits=32)), "32-bit ELF (EI_CLASS 0x1); give the 64-bit vDSO"),
    "another machine": (lambda: build_base(Spec(machine=183)), "e_machine is 0xb7, not 0xf3 (riscv64)"),
    "a program": (lambda: build_base(Spec(type=2)), "e_type is 0x2, not ET_DYN"),
    "another size of the header": (lambda: changed(lambda p: p.header(ehsize=65)), "e_ehsize 0x41, e_phentsize 0x38"),
    "another size of program headers": (lambda: changed(lambda p: p.header(phentsize=57)), "e_ehsize 0x40, e_phentsize 0x39"),
    "program headers on the header": (lambda: changed(lambda p: p.header(phoff=0)), "truncated: program headers end at"),
    "program headers behind the file": (
        lambda: changed(lambda p: p.header(phoff=len(p.data) - 55)),
        "truncated: program headers end at",
    ),
    "no load": (lambda: changed(lambda p: p.segment(elf64.PT_LOAD, type=PT_PHDR)), "0 PT_LOAD segments, not 1"),
    "two loads": (lambda: build_base(Spec(second_load=True)), "2 PT_LOAD segments, not 1"),
    "a load that is not the file's beginning": (
        lambda: changed(lambda p: p.segment(elf64.PT_LOAD, offset=PAGE)),
        "PT_LOAD has offset 0x1000 and address 0x0, both must be 0x0",
    ),
    "a load at an address": (
        lambda: changed(lambda p: p.segment(elf64.PT_LOAD, vaddr=PAGE)),
        "PT_LOAD has offset 0x0 and address 0x1000, both must be 0x0",
    ),
    "a load with more memory": (
        lambda: changed(lambda p: p.segment(elf64.PT_LOAD, memsz=0x3000)),
        " bytes in the file and 0x3000 in memory, which must be equal; link it without .bss",
    ),
    "an alignment that is none": (
        lambda: changed(lambda p: p.segment(elf64.PT_LOAD, align=3)),
        "PT_LOAD has the alignment 0x3, ",
    ),
    "an alignment that is too large": (
        lambda: changed(lambda p: p.segment(elf64.PT_LOAD, align=2 * MOST_BYTES)),
        f"PT_LOAD has the alignment {2 * MOST_BYTES:#x}, no power of two up to {MOST_BYTES:#x}",
    ),
    "a load that is cut off": (lambda: build_base(PLAIN)[:-1], "truncated: PT_LOAD ends at"),
    "a load without all headers": (
        lambda: changed(lambda p: p.segment(elf64.PT_LOAD, filesz=64, memsz=64)),
        "truncated: PT_LOAD ends at 0x40",
    ),
    "a load that is too large": (
        lambda: build_base(Spec(load_size=MOST_BYTES + 1, sections=False)),
        f"PT_LOAD has {MOST_BYTES + 1:#x} bytes (a vDSO has {MOST_BYTES:#x} at most); give a vDSO",
    ),
    "an interpreter": (lambda: changed(lambda p: p.segment(elf64.PT_NOTE, type=PT_INTERP)), "has a program header of type 0x3"),
    "thread-local data": (lambda: changed(lambda p: p.segment(elf64.PT_NOTE, type=PT_TLS)), "has a program header of type 0x7"),
    "two segments of unwind information": (
        lambda: changed(lambda p: p.segment(elf64.PT_NOTE, type=elf64.PT_GNU_EH_FRAME)),
        "has more than one program header of type 0x6474e550",
    ),
    "two dynamic segments": (
        lambda: changed(lambda p: p.segment(elf64.PT_GNU_EH_FRAME, type=elf64.PT_DYNAMIC)),
        "has more than one program header of type 0x2",
    ),
}

DYNAMIC: dict[str, tuple[Callable[[Patch], object], str]] = {
    "no dynamic segment": (lambda p: p.segment(elf64.PT_DYNAMIC, type=PT_PHDR), "no PT_DYNAMIC"),
    "a dynamic segment that is elsewhere in memory": (
        lambda p: p.segment(elf64.PT_DYNAMIC, vaddr=8),
        "PT_DYNAMIC has offset 0x388 and address 0x8, which must be equal",
    ),
    "a dynamic segment that leaves the load": (
        lambda p: p.segment(elf64.PT_DYNAMIC, filesz=0x10000, memsz=0x10000),
        "PT_DYNAMIC at 0x",
    ),
    "a tag twice": (lambda p: p.add(elf64.DT_STRSZ, 1), "PT_DYNAMIC has the tag 0xa twice"),
    "user-mode CFI": (lambda p: p.add(elf64.DT_AUXILIARY, 1), "a vDSO for user-mode CFI (DT_AUXILIARY); take the plain one"),
    "relocations of half an entry": (
        lambda p: p.set(elf64.DT_RELASZ, 36),
        "DT_RELASZ is 0x24, DT_RELAENT 0x18 (entries have 0x18",
    ),
    "relocations of another size": (
        lambda p: p.set(elf64.DT_RELAENT, 12),
        "DT_RELASZ is 0x0, DT_RELAENT 0xc (entries have 0x18",
    ),
    "relocations behind the load": (relocations(0x7000), "DT_RELA at 0x7000 of 0x18 bytes leaves the load"),
    "a relocation of what is not there": (relocations(0x600, 0x7000), "a word with a relocation at 0x7000 of 0x8 bytes leaves"),
    "short relocations": (lambda p: p.add(DT_RELSZ, 16), "has relocations of another form (0x10 bytes at 0x0)"),
    "short relocations of no size": (lambda p: p.add(DT_REL, 8), "has relocations of another form (0x0 bytes at 0x8)"),
    "packed relocations": (lambda p: p.add(DT_RELRSZ, 8), "has relocations of another form (0x8 bytes at 0x0)"),
    "packed relocations of no size": (lambda p: p.add(DT_RELR, 8), "has relocations of another form (0x0 bytes at 0x8)"),
    "relocations of a PLT": (lambda p: p.add(DT_JMPREL, 8), "has relocations of code (DT_JMPREL or DT_TEXTREL)"),
    "relocations of code": (lambda p: p.add(elf64.DT_TEXTREL, 1), "has relocations of code (DT_JMPREL or DT_TEXTREL)"),
    "no strings": (lambda p: p.retag(elf64.DT_STRTAB), "PT_DYNAMIC has no DT_STRTAB"),
    "strings of no size": (lambda p: p.retag(elf64.DT_STRSZ), "PT_DYNAMIC has no DT_STRSZ"),
    "no symbols": (lambda p: p.retag(elf64.DT_SYMTAB), "PT_DYNAMIC has no DT_SYMTAB"),
    "no versions of symbols": (lambda p: p.retag(elf64.DT_VERSYM), "PT_DYNAMIC has no DT_VERSYM"),
    "no definitions of versions": (lambda p: p.retag(elf64.DT_VERDEF), "PT_DYNAMIC has no DT_VERDEF"),
    "no name of the object": (lambda p: p.retag(elf64.DT_SONAME), "PT_DYNAMIC has no DT_SONAME"),
    "symbols of another size": (lambda p: p.set(elf64.DT_SYMENT, 16), "DT_SYMENT is 0x10, not 0x18"),
    "strings behind the load": (lambda p: p.set(elf64.DT_STRTAB, 0x7000), ".dynstr at 0x7000 of 0x"),
    "more strings than the load has": (lambda p: p.set(elf64.DT_STRSZ, 0x7000), ".dynstr at 0x"),
    "notes behind the load": (lambda p: p.segment(elf64.PT_NOTE, vaddr=0x7000), ".note at 0x7000 of 0x"),
}

HASHES: dict[str, tuple[Callable[[Patch], object], str]] = {
    "none": (lambda p: (p.retag(elf64.DT_HASH), p.retag(elf64.DT_GNU_HASH, DT_DEBUG + 100)), "neither DT_HASH nor DT_GNU_HASH"),
    "too many symbols": (
        too_many_symbols,
        f"has {MOST_SYMBOLS + 1} symbols (a vDSO has {MOST_SYMBOLS} at most); give a vDSO",
    ),
    "two that disagree": (hash_word(elf64.DT_HASH, 1, 9), "DT_HASH is for 9 symbols, DT_GNU_HASH for 10"),
    "a DT_HASH behind the load": (lambda p: p.set(elf64.DT_HASH, 0x7000), "DT_HASH at 0x7000 of 0x8 bytes leaves the load"),
    "a DT_HASH with too many buckets": (hash_word(elf64.DT_HASH, 0, 0x10000), "DT_HASH at 0x"),
    "a DT_GNU_HASH behind the load": (lambda p: p.set(elf64.DT_GNU_HASH, 0x7000), "DT_GNU_HASH at 0x7000 of 0x10 bytes"),
    "a DT_GNU_HASH with too many buckets": (hash_word(elf64.DT_GNU_HASH, 0, 0x10000), "DT_GNU_HASH at 0x"),
    "a bucket before the first symbol": (
        lambda p: (p.retag(elf64.DT_HASH), hash_word(elf64.DT_GNU_HASH, 1, 200)(p)),
        "before the first hashed symbol 0xc8",
    ),
    "a chain without end": (hash_word(elf64.DT_GNU_HASH, 6, 0x1000), "DT_GNU_HASH at 0x"),
}

VERSIONS: dict[str, tuple[Callable[[Patch], object], str]] = {
    "no definition": (lambda p: p.set(elf64.DT_VERDEFNUM, 0), "DT_VERDEFNUM is 0, not between 1 and 16"),
    "no number of definitions": (lambda p: p.retag(elf64.DT_VERDEFNUM), "DT_VERDEFNUM is 0, not between 1 and 16"),
    "too many definitions": (lambda p: p.set(elf64.DT_VERDEFNUM, 17), "DT_VERDEFNUM is 17, not between 1 and 16"),
    "fewer than it says": (lambda p: p.set(elf64.DT_VERDEFNUM, 3), "DT_VERDEF: vd_next 0x0 at 0x"),
    "more than it says": (lambda p: p.set(elf64.DT_VERDEFNUM, 1), "DT_VERDEF: vd_next 0x1c at 0x"),
    "another form": (version("<H", 0, 2), "DT_VERDEF: vd_version 0x2 at 0x"),
    "no name": (version("<H", 6, 0), "DT_VERDEF: vd_cnt 0x0 at 0x"),
    "too many names": (version("<H", 6, 17), "DT_VERDEF: vd_cnt 0x11 at 0x"),
    "a name behind the load": (version("<I", 12, 0x7000), "DT_VERDEF at 0x"),
    "the next one behind the load": (version("<I", 16, 0x7000), "DT_VERDEF at 0x"),
    "a definition behind the load": (lambda p: p.set(elf64.DT_VERDEF, 0x7000), "DT_VERDEF at 0x7000 of 0x14 bytes"),
}

NAMES: dict[str, tuple[Callable[[Patch], object], str]] = {
    "of a symbol behind the strings": (lambda p: p.symbol(CPU, name=p.value(elf64.DT_STRSZ)), "leaves .dynstr of 0x"),
    "of the object behind the strings": (lambda p: p.set(elf64.DT_SONAME, p.value(elf64.DT_STRSZ)), "leaves .dynstr of 0x"),
    "of a version behind the strings": (version("<I", 20, 0x10000), "a name at 0x10000 leaves .dynstr of 0x"),
    "that does not end": (lambda p: p.set(elf64.DT_STRSZ, p.value(elf64.DT_STRSZ) - 1), "leaves .dynstr of 0x"),
    "a symbol 0 that is one": (
        lambda p: p.put(p.value(elf64.DT_SYMTAB) + 8, "<Q", 1),
        "symbol 0x0 is not empty, which no loader",
    ),
    "a symbol 0 with a name": (
        lambda p: p.put(p.value(elf64.DT_SYMTAB), "<I", p.string(CPU)),
        f"symbol 0x0 is {CPU}, which no loader looks at",
    ),
    "a function that leaves the load": (lambda p: p.symbol(CPU, size=0x7000), f"symbol {CPU} at 0x"),
    "a function behind the load": (
        lambda p: p.symbol(CPU, value=0x7000),
        f"symbol {CPU} at 0x7000 of 0xa bytes leaves the load",
    ),
    "a note that ends behind the notes": (
        lambda p: p.put(p.phdr(elf64.PT_NOTE)[1].offset + 4, "<I", 0x100),
        "PT_NOTE: a note at 0x",
    ),
}

FRAMES: dict[str, tuple[Callable[[Patch], object], str]] = {
    "another version": (frame_header("<B", 0, 2), "version 0x2, encodings 0x1b, 0x3, 0x3b are not known"),
    "another encoding of the pointer": (frame_header("<B", 1, 3), "encodings 0x3, 0x3, 0x3b are not known"),
    "another encoding of the count": (frame_header("<B", 2, 4), "encodings 0x1b, 0x4, 0x3b are not known"),
    "another encoding of the table": (frame_header("<B", 3, 0x1B), "encodings 0x1b, 0x3, 0x1b are not known"),
    "more entries than the header has room for": (frame_header("<I", 8, 1000), "1000 entries do not fit into 0x"),
    "an FDE before the frames": (frame_header("<i", 16, -8), "lies before .eh_frame at 0x"),
    "an FDE behind the load": (frame_header("<i", 16, 0x7000), "PT_GNU_EH_FRAME at 0x"),
    "an entry for another function": (frame_header("<i", 12, 0), "entry 0 for 0x"),
    "an FDE that is too short": (lambda p: p.put(first_fde(p), "<I", 11), "of 0xb bytes with its CIE at 0x"),
    "an FDE that is too long": (lambda p: p.put(first_fde(p), "<I", 0x7000), "of 0x7000 bytes with its CIE at 0x"),
    "a CIE behind its FDE": (lambda p: p.put(first_fde(p) + 4, "<i", -8), "with its CIE at -0x"),
    "a CIE before the frames": (lambda p: p.put(first_fde(p) + 4, "<I", 0x1000), "with its CIE at "),
    "a CIE that is none": (lambda p: p.put(first_fde(p) + 4, "<I", 8), "with augmentation"),
    "addresses of another form": (
        lambda p: p.put(p.data.index(b"\x1b", first_fde(p) + 4 - p.get(first_fde(p) + 4)), "<B", 0x10),
        "encodes addresses as 0x10, not 0x1b",
    ),
}

OVERLAPS: dict[str, tuple[Callable[[Patch], object], str]] = {
    "strings on the header": (lambda p: p.set(elf64.DT_STRTAB, 0), ".dynstr ends at 0x"),
    "versions on the symbols": (lambda p: p.set(elf64.DT_VERSYM, p.value(elf64.DT_SYMTAB)), ".dynsym begins at 0x"),
    "the list of frames on the frames": (
        lambda p: p.segment(elf64.PT_GNU_EH_FRAME, filesz=p.phdr(elf64.PT_GNU_EH_FRAME)[1].filesz + 1),
        ".eh_frame_hdr ends at 0x",
    ),
    "a function on a table": (
        lambda p: p.symbol(CPU, value=p.value(elf64.DT_VERSYM) + 4),
        f"{CPU} from 0x",
    ),
    "a function on the header": (lambda p: p.symbol(CPU, value=0x3F, size=1), f"{CPU} from 0x3f to 0x40 lies on the headers"),
}  # fmt: skip


def refused(data: bytes, what: str) -> None:
    with pytest.raises(VdsoError, match="^base.so: .*" + re.escape(what)):
        read(data)


@pytest.mark.parametrize(("made", "what"), HEADERS.values(), ids=HEADERS)
def test_headers_that_no_plain_vdso_has_are_refused(made: Callable[[], bytes], what: str) -> None:
    refused(made(), what)


@pytest.mark.parametrize(("change", "what"), DYNAMIC.values(), ids=DYNAMIC)
def test_a_dynamic_segment_that_can_not_be_is_refused(change: Callable[[Patch], object], what: str) -> None:
    refused(changed(change), what)


@pytest.mark.parametrize(("change", "what"), HASHES.values(), ids=HASHES)
def test_hash_tables_that_can_not_be_are_refused(change: Callable[[Patch], object], what: str) -> None:
    refused(changed(change), what)


@pytest.mark.parametrize(("change", "what"), VERSIONS.values(), ids=VERSIONS)
def test_definitions_of_versions_that_can_not_be_are_refused(change: Callable[[Patch], object], what: str) -> None:
    refused(changed(change), what)


@pytest.mark.parametrize(("change", "what"), NAMES.values(), ids=NAMES)
def test_names_symbols_and_notes_that_can_not_be_are_refused(change: Callable[[Patch], object], what: str) -> None:
    refused(changed(change), what)


@pytest.mark.parametrize(("change", "what"), FRAMES.values(), ids=FRAMES)
def test_unwind_information_that_can_not_be_is_refused(change: Callable[[Patch], object], what: str) -> None:
    refused(changed(change), what)


@pytest.mark.parametrize(("change", "what"), OVERLAPS.values(), ids=OVERLAPS)
def test_tables_and_functions_on_each_other_are_refused(change: Callable[[Patch], object], what: str) -> None:
    refused(changed(change), what)


TAKEN: dict[str, tuple[Callable[[Patch], object], Spec]] = {
    "one hash table": (lambda _: None, replace(PLAIN, hashes=("sysv",))),
    "the other hash table": (lambda _: None, replace(PLAIN, hashes=("gnu",))),
    "no unwind information": (lambda _: None, replace(PLAIN, eh_frame=False)),
    "unwind information for nothing": (frame_header("<I", 8, 0), PLAIN),
    "relocations of no size at no place": (lambda p: p.add(DT_RELSZ, 0), PLAIN),
    "no size of symbols": (lambda p: p.retag(elf64.DT_SYMENT), PLAIN),
    "an undefined function, wherever it says to be": (
        lambda p: p.symbol(CPU, shndx=elf64.SHN_UNDEF, value=1 << 40, size=1 << 40),
        PLAIN,
    ),
    "a function that ends with the load": (
        lambda p: p.symbol(CPU, value=p.phdr(elf64.PT_LOAD)[1].filesz - 4, size=4),
        replace(PLAIN, functions=(*FUNCTIONS, reader("last", 20, export=False))),
    ),
    "a load of the largest size": (lambda _: None, replace(PLAIN, load_size=MOST_BYTES)),
    "the largest alignment": (lambda p: p.segment(elf64.PT_LOAD, align=MOST_BYTES), PLAIN),
    "no notes": (lambda p: p.segment(elf64.PT_NOTE, type=PT_PHDR), PLAIN),
    "a load that can be written": (lambda p: p.segment(elf64.PT_LOAD, flags=7), PLAIN),
    "no alignment": (lambda p: p.segment(elf64.PT_LOAD, align=0), PLAIN),
}


@pytest.mark.parametrize(("change", "spec"), TAKEN.values(), ids=TAKEN)
def test_what_a_sound_vdso_may_be_is_read(change: Callable[[Patch], object], spec: Spec) -> None:
    assert CLOCK in read(changed(change, spec)).exports


def test_as_many_exports_as_there_may_be_are_read() -> None:
    count = MOST_SYMBOLS - len(read(build_base(Spec(functions=FUNCTIONS[:1]))).symbols)
    some = tuple(plain_code(f"{PREFIX}f{i}", 12) for i in range(count))
    for spec in (Spec(hashes=("gnu",)), Spec(hashes=("sysv",))):
        base = read(build_base(replace(spec, functions=(*FUNCTIONS[:1], *some))))
        assert len(base.symbols) == MOST_SYMBOLS
    one_more = (*FUNCTIONS[:1], *some, plain_code(PREFIX + "more", 12))
    refused(build_base(Spec(functions=one_more)), f"has {MOST_SYMBOLS + 1} symbols")
