# SPDX-License-Identifier: MIT
"""Headers of all four forms are read as another library reads them, and bad numbers end in a word, not in a traceback."""

from __future__ import annotations

import io
import struct
from dataclasses import replace

import pytest
from elf_builder import Spec, assemble
from elf_builder import build as build_base
from elftools.elf.elffile import ELFFile
from image_builder import Patch
from vdso.elf import elf64
from vdso.elf.headers import Form, Headers, Truncated, dynamic_symbols, read_headers

FORMS = {f"{bits}{name}": Spec(bits=bits, endian=endian) for bits in (32, 64) for endian, name in (("<", "le"), (">", "be"))}


def read(data: bytes) -> Headers:
    found = read_headers(data)
    assert found is not None
    return found


@pytest.mark.parametrize("spec", FORMS.values(), ids=FORMS)
def test_headers_are_those_that_another_library_reads(spec: Spec) -> None:
    data = build_base(spec)
    found, other = read(data), ELFFile(io.BytesIO(data))
    assert (found.form.wide, found.form.order) == (other.elfclass == 64, "<" if other.little_endian else ">")
    for ours, theirs in zip(found.phdrs, other.iter_segments(), strict=True):
        names = ("offset", "vaddr", "paddr", "filesz", "memsz", "flags", "align")
        assert [getattr(ours, name) for name in names] == [theirs[f"p_{name}"] for name in names]
    for ours, theirs in zip(found.sections(data), other.iter_sections(), strict=True):
        names = ("flags", "addr", "offset", "size", "link", "info", "addralign", "entsize")
        assert [getattr(ours, name) for name in names] == [theirs[f"sh_{name}"] for name in names]
    assert found.loaded == max(s["p_offset"] + s["p_filesz"] for s in other.iter_segments())
    assert found.table_end == other["e_shoff"] + other["e_shnum"] * other["e_shentsize"] == len(data)


@pytest.mark.parametrize("hashes", [("sysv",), ("gnu",), ("sysv", "gnu")])
@pytest.mark.parametrize("spec", FORMS.values(), ids=FORMS)
def test_dynamic_symbols_are_those_that_another_library_reads(spec: Spec, hashes: tuple[str, ...]) -> None:
    data = build_base(replace(spec, hashes=hashes))
    form, dynamic = read(data).form, ELFFile(io.BytesIO(data)).get_section_by_name(".dynamic")
    tags = form.dynamic(dynamic.data())
    named = {tag.entry.d_tag: tag.entry.d_val for tag in dynamic.iter_tags()}
    for name in ("DT_SONAME", "DT_STRTAB", "DT_STRSZ", "DT_SYMTAB", "DT_VERSYM"):
        assert tags[getattr(elf64, name)] == named[name]
    theirs = ELFFile(io.BytesIO(data)).get_section_by_name(".dynsym")
    ours = list(dynamic_symbols(data, form, tags))
    assert [(s.name, s.value, s.size, s.info & 15 == elf64.STT_FUNC) for s in ours] == [
        (s["st_name"], s["st_value"], s["st_size"], s["st_info"]["type"] == "STT_FUNC") for s in theirs.iter_symbols()
    ]


def test_dynamic_entries_end_at_dt_null_and_the_first_of_a_tag_counts() -> None:
    entries = [(5, 1), (6, 2), (5, 3), (0, 0), (7, 4)]
    for form, pattern in ((Form(True, "<"), "<qQ"), (Form(False, ">"), ">iI")):
        packed = b"".join(struct.pack(pattern, *entry) for entry in entries)
        assert form.dynamic(packed) == {5: 1, 6: 2}
        assert form.dynamic(packed[: struct.calcsize(pattern)] + b"odd") == {5: 1}
        assert form.dynamic(b"") == {}


def changed(**fields: int) -> bytes:
    patch = Patch(build_base())
    patch.header(**fields)
    return patch.image


@pytest.mark.parametrize(
    "data",
    [
        b"\x7fELF\x00\x01\x01".ljust(64, b"\0"),
        b"\x7fELF\x03\x01\x01".ljust(64, b"\0"),
        b"\x7fELF\x02\x00\x01".ljust(64, b"\0"),
        b"\x7fELF\x02\x03\x01".ljust(64, b"\0"),
        changed(version=2),
        changed(ehsize=52),
        changed(phentsize=32),
        changed(shentsize=40),
    ],
    ids=["no class", "another class", "no byte order", "another byte order", "version", "ehsize", "phentsize", "shentsize"],
)
def test_what_has_only_the_four_magic_bytes_is_no_elf_file(data: bytes) -> None:
    assert read_headers(data) is None


def test_sizes_of_records_that_are_not_there_do_not_matter() -> None:
    assert read(changed(shentsize=40, shnum=0)).table_end == 0
    assert read(changed(phentsize=32, phnum=0)).phdrs == ()
    assert read(changed(phnum=0)).loaded == 0
    assert read(changed(shoff=0)).table_end == 0


def test_more_program_headers_than_asked_for_are_none() -> None:
    count = len(read(build_base()).phdrs)
    assert read_headers(build_base(), count) is not None
    assert read_headers(build_base(), count - 1) is None


def test_a_core_may_have_its_number_of_segments_in_the_first_section() -> None:
    patch = Patch(build_base())
    count = patch.ehdr.phnum
    patch.header(phnum=0xFFFF)
    patch.put(patch.ehdr.shoff + 44, "<I", count)
    assert len(read(patch.image).phdrs) == count
    patch.header(shoff=len(patch.data) - 63)
    with pytest.raises(Truncated, match=rf"its first section header ends at {len(patch.data) + 1:#x} and the data at"):
        read_headers(patch.image)


@pytest.mark.parametrize("size", [0, 15, 16, 63])
def test_a_header_that_is_cut_off_is_told(size: int) -> None:
    with pytest.raises(Truncated, match=f"^truncated: its ELF header ends at 0x40 and the data at {size:#x}$"):
        read_headers(build_base()[:size])


def test_a_short_header_of_32_bits_is_enough() -> None:
    data = build_base(Spec(bits=32))
    with pytest.raises(Truncated, match="its program header table ends at"):
        read_headers(data[:52])
    with pytest.raises(Truncated, match="its ELF header ends at 0x34 and the data at 0x33"):
        read_headers(data[:51])


def test_what_goes_on_behind_the_data_is_told() -> None:
    built = assemble(Spec())
    found = read(built.data)
    end = 64 + 56 * len(found.phdrs)
    with pytest.raises(Truncated, match=f"its program header table ends at {end:#x} and the data at {end - 1:#x}"):
        read_headers(built.data[: end - 1])
    found.check(built.data)
    found.check(built.data[: built.load_size], table=False)
    with pytest.raises(Truncated, match=f"its section table ends at {len(built.data):#x}"):
        found.check(built.data[:-1])
    with pytest.raises(Truncated, match=f"its last segment ends at {built.load_size:#x}"):
        found.check(built.data[: built.load_size - 1], table=False)


def test_symbols_that_leave_the_image_are_an_error() -> None:
    data = build_base(Spec(hashes=("gnu",)))
    patch = Patch(data)
    tags = {tag: patch.value(tag) for tag in (elf64.DT_GNU_HASH, elf64.DT_SYMTAB)}
    form = Form(True, "<")
    with pytest.raises(struct.error):
        list(dynamic_symbols(data, form, {**tags, elf64.DT_SYMTAB: len(data) - 8}))
    with pytest.raises(struct.error):
        list(dynamic_symbols(data, form, {elf64.DT_SYMTAB: 0}))
    patch.put(tags[elf64.DT_GNU_HASH], "<I", 1 << 30)
    with pytest.raises(struct.error, match="1073741824 buckets of DT_GNU_HASH"):
        list(dynamic_symbols(patch.image, form, tags))


def test_a_hash_table_without_a_hashed_symbol_counts_those_before() -> None:
    patch = Patch(build_base(Spec(hashes=("gnu",))))
    at = patch.value(elf64.DT_GNU_HASH)
    buckets, first, words = patch.get(at), patch.get(at + 4), patch.get(at + 8)
    for i in range(buckets):
        patch.put(at + 16 + 8 * words + 4 * i, "<I", 0)
    tags = {tag: patch.value(tag) for tag in (elf64.DT_GNU_HASH, elf64.DT_SYMTAB)}
    assert len(list(dynamic_symbols(patch.image, Form(True, "<"), tags))) == first
