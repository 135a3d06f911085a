# SPDX-License-Identifier: MIT
"""What GNU ld, lld and the linker scripts of Linux write: it is read, whatever else the same header covers."""

from __future__ import annotations

from pathlib import Path

import pytest
from bases import bases
from elf_builder import PT_GNU_STACK, PT_PHDR, Spec, build
from image_builder import Patch
from vdso import pipeline
from vdso.arch.riscv64.facts import RISCV64
from vdso.elf import elf64
from vdso.elf.elf64 import DYN
from vdso.errors import VdsoError
from vdso.image.model import Vdso
from vdso.image.reader import read_vdso
from vdso.ranges import Span

GOT = b"\x88\x03\0\0\0\0\0\0"
"""The one word that GNU ld leaves of a .got: the address of .dynamic."""


def read(spec: Spec) -> Vdso:
    return read_vdso("base.so", build(spec), RISCV64)


def entries(base: Vdso) -> list[int]:
    """Return the tags of PT_DYNAMIC up to DT_NULL."""
    tags = [tag for tag, _ in base.dynamic]
    return tags[: tags.index(elf64.DT_NULL)]


PLAIN = read(Spec())


@pytest.mark.parametrize(
    "covered",
    [GOT, GOT * 2, bytes(8), bytes(0x30), bytes(range(0x60)), b"\x01" + bytes(7), b"\xff" * 0x33],
    ids=lambda covered: f"{len(covered)} bytes from {covered[:2].hex()} on",
)
@pytest.mark.parametrize("sections", [True, False], ids=["with sections", "without sections"])
@pytest.mark.parametrize("spare", [0, 5])
def test_pt_dynamic_ends_at_dt_null(covered: bytes, sections: bool, spare: int) -> None:
    """As in Linux 6.8 to 6.14, and 6.1 of lld: what the linker lays behind .dynamic is in PT_DYNAMIC too."""
    base = read(Spec(covered=covered, sections=sections, spare=spare))
    assert entries(base) == entries(PLAIN)
    table = base.tables[".dynamic"]
    behind = base.data[table.start + DYN.size * (len(entries(base)) + 1) : table.end]
    assert not any(behind)
    if sections:
        assert len(behind) == spare * DYN.size


def test_zeros_that_no_section_parts_from_the_table_are_spare_entries() -> None:
    base = read(Spec(covered=bytes(0x28) + GOT, sections=False, spare=0))
    assert len(base.dynamic) == len(entries(base)) + 1 + 2


@pytest.mark.parametrize("spare", [0, 5])
def test_the_table_ends_where_it_ends_in_memory(spare: int) -> None:
    """What rustix and the proof would not read is no part of it: neither DT_NULL nor entries to spare."""
    patch = Patch(build(Spec(spare=spare, sections=False)))
    _at, header = patch.phdr(elf64.PT_DYNAMIC)
    end = patch.tag(elf64.DT_NULL) - header.vaddr
    patch.segment(elf64.PT_DYNAMIC, memsz=end + DYN.size)
    assert read_vdso("base.so", patch.image, RISCV64).dynamic == PLAIN.dynamic[: end // DYN.size + 1]
    for memsz in (end + DYN.size - 1, end, 1, 0):
        patch.segment(elf64.PT_DYNAMIC, memsz=memsz)
        with pytest.raises(VdsoError, match=f"PT_DYNAMIC has no DT_NULL among its {memsz // DYN.size} entries"):
            read_vdso("base.so", patch.image, RISCV64)


@pytest.mark.parametrize("first", [(), (PT_PHDR,), (PT_PHDR, PT_GNU_STACK), (0x70000003, 0x6474E553, 0x12345678)])
@pytest.mark.parametrize("lld", [False, True])
def test_program_headers_may_come_in_any_order(first: tuple[int, ...], lld: bool) -> None:
    base = read(Spec(first=first, lld=lld))
    assert base.exports.keys() == PLAIN.exports.keys()
    assert base.load.filesz == len(base.data)
    assert base.notes == PLAIN.notes


@pytest.mark.parametrize("flags", [elf64.PF_R | elf64.PF_X, 7, elf64.PF_R])
def test_the_flags_of_the_load_are_no_matter(flags: int) -> None:
    assert read(Spec(load_flags=flags)).exports.keys() == PLAIN.exports.keys()


def test_notes_of_every_segment_are_read() -> None:
    base = read(Spec(property=True))
    assert [note.type for note in base.notes] == [elf64.NT_GNU_BUILD_ID, 0, elf64.NT_GNU_PROPERTY_TYPE_0]
    assert read(Spec(linux=None, build_id=None)).notes == ()


REAL = [path for path in bases() if path.name.startswith("riscv64")]


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_real_vdsos_are_bases_but_for_those_of_user_mode_cfi(path: Path) -> None:
    if "-cfi" in path.name:
        with pytest.raises(VdsoError, match="user-CFI vDSO"):
            pipeline.base_in(path.name, path.read_bytes(), RISCV64)
    else:
        found = pipeline.base(path.name, pipeline.base_in(path.name, path.read_bytes(), RISCV64), RISCV64)
        assert {"clock_gettime", "rt_sigreturn"} <= {RISCV64.short(name) for name in found.exports}
        spans = sorted((span for span in found.tables.values() if span.size), key=lambda span: span.start)
        assert all(not Span(0, found.headers.end).overlaps(span) for span in spans)
