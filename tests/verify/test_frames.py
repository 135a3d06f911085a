# SPDX-License-Identifier: MIT
"""The CIE of .eh_frame: which encoding it gives, byte by byte, and that no bytes at all make the reader fail."""

from __future__ import annotations

import struct

import pytest
from vdso.verify.frames import cie_encoding

BEHIND_AUGMENTATION = {
    "one byte each": b"\x01\x7c\x01\x01",
    "numbers of two bytes": b"\x81\x00\xfc\x7f\x01\x81\x00",
    "a register that looks like the start of a longer number": b"\x01\x7c\x81\x01",
}
"""Code and data alignment, return address register, and the length of the augmentation's data."""


def cie(numbers: bytes, version: int = 1, augmentation: bytes = b"zR", encoding: bytes = b"\x1b") -> bytes:
    body = struct.pack("<IB", 0, version) + augmentation + b"\0" + numbers + encoding
    return struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("numbers", BEHIND_AUGMENTATION.values(), ids=BEHIND_AUGMENTATION)
def test_the_encoding_stands_behind_four_numbers(numbers: bytes) -> None:
    whole = cie(numbers)
    assert cie_encoding(whole, 0) == 0x1B
    assert cie_encoding(bytes(8) + whole, 8) == 0x1B


def test_the_register_is_a_longer_number_from_version_3_on() -> None:
    numbers = b"\x01\x7c\x81\x00\x01"
    assert cie_encoding(cie(numbers, version=3), 0) == 0x1B
    assert cie_encoding(cie(numbers, encoding=b"\x0c"), 0) == 1, "version 1 reads it as a byte, and the next as the length"


@pytest.mark.parametrize(("version", "augmentation"), [(2, b"zR"), (4, b"zR"), (1, b""), (1, b"z"), (1, b"R"), (1, b"eh")])
def test_others_have_none(version: int, augmentation: bytes) -> None:
    assert cie_encoding(cie(BEHIND_AUGMENTATION["one byte each"], version, augmentation), 0) is None


def test_an_entry_that_is_cut_has_none() -> None:
    """Where the file ends, and where the length says so; also at the end of a file, where nothing follows."""
    whole = cie(BEHIND_AUGMENTATION["one byte each"])
    for end in range(len(whole)):
        assert cie_encoding(whole[:end], 0) is None, end
    for length in range(len(whole) - 4):
        shorter = struct.pack("<I", length) + whole[4:]
        assert cie_encoding(shorter, 0) is None, length
        assert cie_encoding(shorter[: 4 + max(length, 4)], 0) is None, length
    for length in (0xFFFFFFF0, 0xFFFFFFFF):
        assert cie_encoding(struct.pack("<I", length) + whole[4:], 0) is None


def test_an_fde_is_no_cie() -> None:
    whole = cie(BEHIND_AUGMENTATION["one byte each"])
    assert cie_encoding(whole[:4] + b"\x04\0\0\0" + whole[8:], 0) is None
