# SPDX-License-Identifier: MIT
"""Unwind information that is written is read again, by us and by another library, whatever the functions are."""

from __future__ import annotations

import io
import struct

import pytest
from elftools.dwarf.callframe import FDE, CallFrameInfo
from elftools.dwarf.structs import DWARFStructs
from hypothesis import given, settings
from hypothesis import strategies as st
from vdso.arch.riscv64.facts import RISCV64
from vdso.elf.unwind import Fde, header_size, leaf, pack_frames, read_frames
from vdso.ranges import Span
from vdso.verify.frames import cie_encoding

EXACT = settings(derandomize=True, deadline=None, database=None)
SIGNAL_CIE = RISCV64.leaf_cie.replace(b"zR\0", b"zRS\0")
AT = 0x800


def image(fdes: list[Fde], at: int = AT) -> bytes:
    return bytes(at) + pack_frames(fdes, at)


def read(fdes: list[Fde], at: int = AT) -> tuple[tuple[Fde, ...], Span]:
    data = image(fdes, at)
    return read_frames(data, Span(at, header_size(len(fdes))))


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


@st.composite
def functions(draw: st.DrawFn) -> list[Fde]:
    """Draw functions that don't overlap, in any order, with one of two CIEs and some instructions."""
    start, made = draw(st.integers(-0x1000, 0x1000)), []
    for _ in range(draw(st.integers(1, 6))):
        size = draw(st.integers(0, 0x100))
        tail = draw(st.binary(min_size=1, max_size=9).map(lambda data: b"\0" + data[1:]))
        made.append(Fde(start, size, draw(st.sampled_from((RISCV64.leaf_cie, SIGNAL_CIE))), tail))
        start += size + draw(st.integers(1, 50))
    return draw(st.permutations(made))


@EXACT
@given(functions(), st.integers(0, 0x200).map(lambda n: 8 * n))
def test_what_is_written_is_read(fdes: list[Fde], at: int) -> None:
    found, extent = read(fdes, at)
    ordered = sorted(fdes, key=lambda fde: fde.start)
    assert [(fde.start, fde.size, fde.cie, fde.tail) for fde in found] == [
        (fde.start, fde.size, padded(fde.cie), padded(fde.tail)) for fde in ordered
    ]
    whole = image(fdes, at)
    assert extent.start == at + -(-header_size(len(fdes)) // 8) * 8
    assert extent.end == len(whole) - 4
    assert whole[-4:] == bytes(4)


def test_another_library_reads_the_same() -> None:
    fdes = [leaf(Span(0x100, 0x40), RISCV64.leaf_cie), leaf(Span(0x40, 8), SIGNAL_CIE), leaf(Span(0x200, 2), RISCV64.leaf_cie)]
    data = image(fdes)
    start = AT + -(-header_size(3) // 8) * 8
    frames = CallFrameInfo(
        io.BytesIO(data[start:]), len(data) - start, start, DWARFStructs(True, 32, 8), for_eh_frame=True
    ).get_entries()
    found = [entry for entry in frames if isinstance(entry, FDE)]
    assert {(fde.header["initial_location"], fde.header["address_range"]) for fde in found} == {
        (fde.start, fde.size) for fde in fdes
    }
    assert {fde.cie.augmentation_dict["FDE_encoding"] for fde in found} == {0x1B}
    assert [entry.header["augmentation"] for entry in frames if not isinstance(entry, FDE) and hasattr(entry, "header")] == [
        b"zR",
        b"zRS",
    ]


def test_the_list_is_sorted_by_address() -> None:
    fdes = [leaf(Span(start, 2), RISCV64.leaf_cie) for start in (0x300, 0x100, 0x200)]
    table = struct.unpack_from("<6i", image(fdes), AT + 12)
    assert [AT + place for place in table[::2]] == [0x100, 0x200, 0x300]


def test_a_leaf_has_no_rule_of_its_own() -> None:
    assert leaf(Span(8, 4), b"cie") == Fde(8, 4, b"cie", bytes(4))
    assert (leaf(Span(8, 4), b"cie").end, leaf(Span(8, 4), b"cie").span) == (12, Span(8, 4))


@pytest.mark.parametrize(
    ("first", "second"),
    [(Span(0x100, 0x10), Span(0x10F, 0x10)), (Span(0x100, 0x10), Span(0x100, 0x10))],
)
def test_functions_that_overlap_are_refused(first: Span, second: Span) -> None:
    with pytest.raises(ValueError, match="entry 1 for 0x"):
        read([leaf(first, RISCV64.leaf_cie), leaf(second, RISCV64.leaf_cie)])


def test_no_function_is_no_information() -> None:
    found, extent = read([])
    assert (found, extent) == ((), Span(AT + 16, 0))


def changed(at: int, form: str, value: int) -> bytes:
    """Return one function's information, changed at an offset behind its header."""
    data = bytearray(image([leaf(Span(0x100, 0x10), RISCV64.leaf_cie)]))
    struct.pack_into(form, data, AT + 24 + at, value)
    return bytes(data)


CIE_SIZE = 8 + len(padded(RISCV64.leaf_cie))


@pytest.mark.parametrize(
    ("at", "form", "value", "what"),
    [
        (4, "<I", 1, "CIE at 0x818 with augmentation"),
        (0, "<I", 0x1000, "CIE at 0x818 with augmentation"),
        (9, "<B", ord("P"), "CIE at 0x818 with augmentation b'PR"),
        (CIE_SIZE, "<I", 11, "of 0xb bytes with its CIE at 0x818"),
        (CIE_SIZE, "<I", 0x1000, "of 0x1000 bytes with its CIE at 0x818"),
        (CIE_SIZE + 4, "<I", CIE_SIZE + 5, "with its CIE at 0x817"),
        (CIE_SIZE + 4, "<I", 4, "with its CIE at 0x82c"),
    ],
)
def test_malformed_information_is_refused(at: int, form: str, value: int, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        read_frames(changed(at, form, value), Span(AT, header_size(1)))


def cie(*after_augmentation: int, version: int = 3, augmentation: bytes = b"zR") -> bytes:
    """Return a CIE's bytes behind the CIE_id. after_augmentation: alignments, register, length, data, instructions."""
    return bytes([version, *augmentation, 0, *after_augmentation])


ENCODED = {
    "as gas writes it": (cie(1, 0x7C, 1, 1, 0x1B, 0x0C, 2, 0), 0x1B),
    "version 1": (cie(1, 0x7C, 1, 1, 0x1B, 0x0C, 2, 0, version=1), 0x1B),
    "a register of version 1 above 0x7f": (cie(1, 0x7C, 0x81, 1, 0x1B, version=1), 0x1B),
    "a register of two bytes": (cie(1, 0x7C, 0x81, 1, 1, 0x1B), 0x1B),
    "alignments of two and three bytes": (cie(0x84, 0, 0xF8, 0xFF, 0x7F, 1, 1, 0x1B), 0x1B),
    "a signal frame": (cie(1, 0x7C, 1, 1, 0x1B, augmentation=b"zRS"), 0x1B),
    "absolute, and 0x1b in the instructions": (cie(1, 0x7C, 1, 1, 0, 0x0C, 0x1B, 0), 0),
    "absolute, and 0x1b the register": (cie(1, 0x7C, 0x1B, 1, 0), 0),
    "absolute, and 0x1b an alignment": (cie(0x1B, 0x1B, 1, 1, 4), 4),
    "absolute, and 0x1b the length": (cie(1, 0x7C, 1, 0x1B, 0x3B, *bytes(0x1A)), 0x3B),
    "omitted": (cie(1, 0x7C, 1, 1, 0xFF, 0x1B), 0xFF),
    "version 1, read as version 3 it would be 0x1b": (cie(1, 0x7C, 0x81, 1, 0, 0x1B, version=1), 0),
}


@pytest.mark.parametrize("kind", ENCODED)
def test_the_encoding_of_addresses_is_read_where_it_stands(kind: str) -> None:
    """By both readers, ours and that of the proof."""
    body, encoding = ENCODED[kind]
    data = image([leaf(Span(0x100, 0x10), body)])
    assert cie_encoding(data, AT + 24) == encoding
    if encoding == 0x1B:
        assert len(read_frames(data, Span(AT, header_size(1)))[0]) == 1
    else:
        with pytest.raises(ValueError, match=f"CIE at 0x818 encodes addresses as {encoding:#x}, not 0x1b"):
            read_frames(data, Span(AT, header_size(1)))


@pytest.mark.parametrize("version", [0, 2, 4, 0xFF])
def test_a_cie_of_another_version_is_refused(version: int) -> None:
    data = image([leaf(Span(0x100, 0x10), cie(1, 0x7C, 1, 1, 0x1B, version=version))])
    with pytest.raises(ValueError, match=f"version {version:#x}, neither 1 nor 3"):
        read_frames(data, Span(AT, header_size(1)))
    assert cie_encoding(data, AT + 24) is None


def test_a_cie_that_ends_within_a_number_is_refused() -> None:
    data = image([leaf(Span(0x100, 0x10), cie(0x81, 0x81, 0x81))])
    with pytest.raises(IndexError):
        read_frames(data, Span(AT, header_size(1)))


def test_information_that_ends_with_the_image_is_read() -> None:
    data = image([leaf(Span(0x100, 0x10), RISCV64.leaf_cie)])[:-4]
    assert len(read_frames(data, Span(AT, header_size(1)))[0]) == 1
    with pytest.raises(ValueError, match="with its CIE at 0x818"):
        read_frames(data[:-1], Span(AT, header_size(1)))
