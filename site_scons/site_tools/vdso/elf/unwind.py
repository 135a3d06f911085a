# SPDX-License-Identifier: MIT
"""Unwind information: reads that of a base, and writes that of an image, for the functions that stay and for the stubs.

Formats: LSB core, "Exception Frames" (.eh_frame) and "Exception Frame Header" (.eh_frame_hdr). The encodings are the two that
GNU ld and gas write for a vDSO: 4-byte signed, relative to the field, and in the header's table relative to the header.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from ..ranges import Span

PCREL_SDATA4, DATAREL_SDATA4, UDATA4 = 0x1B, 0x3B, 0x03
_HEADER = struct.Struct("<BBBBiI")  # version, three encodings, eh_frame_ptr, fde_count
_FDE = struct.Struct("<IIiI")  # length, CIE_pointer, pc_begin, pc_range


@dataclass(frozen=True)
class Fde:
    """One function's unwind information. `cie`: the bytes of its CIE behind the CIE_id; `tail`: the FDE's behind pc_range."""

    start: int
    size: int
    cie: bytes
    tail: bytes

    @property
    def span(self) -> Span:
        return Span(self.start, self.size)

    @property
    def end(self) -> int:
        return self.start + self.size

    @property
    def constant(self) -> bool:
        """Tell whether one rule holds from its first to its last byte: it has neither instructions nor augmentation."""
        return not any(self.tail)


def leaf(function: Span, cie: bytes) -> Fde:
    """Return the FDE of a function without a frame: the rule of `cie` holds from the function's first to its last byte."""
    return Fde(function.start, function.size, cie, b"\0" * 4)


def read_frames(image: bytes, header: Span) -> tuple[tuple[Fde, ...], Span]:
    """Return all FDEs that the .eh_frame_hdr at `header` lists, and where .eh_frame is.

    ValueError, struct.error or IndexError where the table is malformed or encoded in another way.
    """
    version, pointer, count_encoding, table, frame, count = _HEADER.unpack_from(image, header.start)
    if (version, pointer, count_encoding, table) != (1, PCREL_SDATA4, UDATA4, DATAREL_SDATA4):
        raise ValueError(f"version {version:#x}, encodings {pointer:#x}, {count_encoding:#x}, {table:#x} are not known")
    if header_size(count) > header.size:
        raise ValueError(f"{count} entries do not fit into {header.size:#x} bytes")
    start = end = header.start + 4 + frame
    fdes: list[Fde] = []
    for i in range(count):
        location, place = struct.unpack_from("<ii", image, header.start + _HEADER.size + 8 * i)
        at = header.start + place
        if at < start:
            raise ValueError(f"an FDE at {at:#x} lies before .eh_frame at {start:#x}")
        fde, fde_end = _read_fde(image, at, start)
        if fde.start != header.start + location or (fdes and fde.start < fdes[-1].end):
            raise ValueError(f"entry {i} for {header.start + location:#x} leads to an FDE for {fde.start:#x} to {fde.end:#x}")
        fdes.append(fde)
        end = max(end, fde_end)
    return tuple(fdes), Span.between(start, end)


def _read_fde(image: bytes, at: int, start: int) -> tuple[Fde, int]:
    length, back, begin, size = _FDE.unpack_from(image, at)
    cie = at + 4 - back
    end = at + 4 + length
    if length < 12 or end > len(image) or not start <= cie < at:
        raise ValueError(f"FDE at {at:#x} of {length:#x} bytes with its CIE at {cie:#x}")
    (cie_length, cie_id) = struct.unpack_from("<II", image, cie)
    body = image[cie + 8 : cie + 4 + cie_length]
    if cie_id or len(body) != cie_length - 4 or body[1:].partition(b"\0")[0] not in (b"zR", b"zRS"):
        raise ValueError(f"CIE at {cie:#x} with augmentation {body[1:5]!r}")
    encoding = _address_encoding(body)
    if encoding != PCREL_SDATA4:
        raise ValueError(f"CIE at {cie:#x} encodes addresses as {encoding:#x}, not {PCREL_SDATA4:#x}")
    return Fde(at + 8 + begin, size, body, image[at + 16 : end]), end


def _address_encoding(cie: bytes) -> int:
    """Return how the FDEs of a CIE encode addresses (DW_EH_PE_*): the augmentation data, whose length stands before them.

    cie     from the version on, with an augmentation that begins with "zR"
    """
    version, at = cie[0], cie.index(b"\0") + 1
    if version not in (1, 3):
        raise ValueError(f"a CIE has version {version:#x}, neither 1 nor 3")
    at = _behind_number(cie, _behind_number(cie, at))  # code and data alignment
    at = at + 1 if version == 1 else _behind_number(cie, at)  # return address register
    return cie[_behind_number(cie, at)]


def _behind_number(data: bytes, at: int) -> int:
    """Return where the LEB128 number at `at` ends."""
    while data[at] & 0x80:
        at += 1
    return at + 1


def header_size(count: int) -> int:
    """Return how many bytes an .eh_frame_hdr for `count` FDEs has."""
    return _HEADER.size + 8 * count


def pack_frames(fdes: Sequence[Fde], at: int) -> bytes:
    """Return .eh_frame_hdr, .eh_frame behind it (8-aligned) and the terminator, for address `at` (8-aligned)."""
    header_end = at + header_size(len(fdes))
    frame = header_end + (-header_end % 8)
    body = b""
    places: list[tuple[int, int]] = []
    for cie in dict.fromkeys(fde.cie for fde in fdes):
        cie_at = frame + len(body)
        padded = cie + bytes(-len(cie) % 4)
        body += struct.pack("<II", len(padded) + 4, 0) + padded
        for fde in (f for f in fdes if f.cie == cie):
            here = frame + len(body)
            tail = fde.tail + bytes(-len(fde.tail) % 4)
            body += _FDE.pack(12 + len(tail), here + 4 - cie_at, fde.start - here - 8, fde.size) + tail
            places.append((fde.start, here))
    table = b"".join(struct.pack("<ii", start - at, here - at) for start, here in sorted(places))
    header = _HEADER.pack(1, PCREL_SDATA4, UDATA4, DATAREL_SDATA4, frame - at - 4, len(fdes)) + table
    return header + bytes(frame - header_end) + body + bytes(4)
