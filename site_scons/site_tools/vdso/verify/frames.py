# SPDX-License-Identifier: MIT
"""Reads .eh_frame_hdr and the FDEs it names (LSB core, "Exception Frames"; DWARF 4, 6.4.1). Never raises.

The image's unwind information is written by elf/unwind.py; this is the second reader of it, and shares nothing with the first.
"""

from __future__ import annotations

import struct
from io import BytesIO

from .model import Fde, Frames, string

PCREL_SDATA4, UDATA4, DATAREL_SDATA4 = 0x1B, 0x03, 0x3B
ENCODINGS = (PCREL_SDATA4, UDATA4, DATAREL_SDATA4)


def _int(image: bytes, at: int, form: str = "<i") -> int | None:
    if not 0 <= at <= len(image) - 4:
        return None
    number: int = struct.unpack_from(form, image, at)[0]
    return number


def parse_frames(image: bytes, at: int) -> Frames | None:
    """Return the .eh_frame_hdr at `at` and its FDEs; None when not even the head is in the file."""
    if not 0 <= at <= len(image) - 12:
        return None
    version, encodings = image[at], (image[at + 1], image[at + 2], image[at + 3])
    pointer, count = struct.unpack_from("<iI", image, at + 4)
    eh_frame = at + 4 + pointer if encodings[0] == PCREL_SDATA4 else None
    table = None
    fdes: tuple[Fde | None, ...] = ()
    if encodings == ENCODINGS and count <= (len(image) - at - 12) // 8:
        flat = struct.unpack_from(f"<{2 * count}i", image, at + 12)
        table = tuple((at + loc, at + fde) for loc, fde in zip(flat[::2], flat[1::2], strict=True))
        fdes = tuple(parse_fde(image, fde) for _loc, fde in table)
    return Frames(at, version, encodings, eh_frame, count, table, fdes)


def parse_fde(image: bytes, at: int) -> Fde | None:
    """Return an FDE whose CIE says pc-relative 4-byte addresses, as the linker makes them; None for anything else."""
    length, back = _int(image, at, "<I"), _int(image, at + 4, "<I")
    if length is None or back is None or not 16 <= length < 0xFFFFFFF0 or back == 0 or at + 4 + length > len(image):
        return None
    if cie_encoding(image, at + 4 - back) != PCREL_SDATA4:
        return None
    offset, size = _int(image, at + 8), _int(image, at + 12, "<I")
    if offset is None or size is None:
        return None
    start = at + 8 + offset
    return Fde(at, start, start + size)


def row_changes(image: bytes, eh_frame: int, fde: Fde, address: int) -> bool:
    """Tell whether callers are found otherwise at `address` than at the first byte that `fde` describes.

    False too where that can't be told: it is another rule's finding that an FDE can't be read. `eh_frame`: where the first
    CIE is.
    """
    # imported late: hardly an image has an FDE for more than one function
    from elftools.dwarf.callframe import FDE, CallFrameInfo
    from elftools.dwarf.structs import DWARFStructs

    try:
        section = image[eh_frame : fde.at + 4 + int.from_bytes(image[fde.at : fde.at + 4], "little")]
        structs = DWARFStructs(little_endian=True, dwarf_format=32, address_size=8)
        entries = CallFrameInfo(BytesIO(section), len(section), eh_frame, structs, for_eh_frame=True).get_entries()
        entry = next(entry for entry in entries if isinstance(entry, FDE) and entry.offset == fde.at - eh_frame)
        rows = [
            (row["pc"], {name: str(rule) for name, rule in row.items() if name != "pc"}) for row in entry.get_decoded().table
        ]
    except Exception:  # pyelftools passes on what its parser happens to raise
        return False
    first = next((rules for _pc, rules in rows), {})
    return next((rules for pc, rules in reversed(rows) if pc <= address), first) != first


def cie_encoding(image: bytes, at: int) -> int | None:
    """Return how FDEs of the CIE at `at` encode addresses (DW_EH_PE_*); None unless a CIE with augmentation "zR…" is there."""
    length, ident = _int(image, at, "<I"), _int(image, at + 4, "<I")
    if length is None or not 9 <= length < 0xFFFFFFF0 or ident != 0 or at + 4 + length > len(image):
        return None
    end = at + 4 + length
    if image[at + 8] not in (1, 3):
        return None
    augmentation = string(image, at + 9, end - at - 9, 0)
    if augmentation is None or not augmentation.startswith("zR"):
        return None
    # The encoding stands behind code and data alignment, return address register and augmentation length: LEB128 numbers, but
    # for the register in version 1, which is a byte (DWARF 2, 6.4.1).
    position = at + 9 + len(augmentation) + 1
    for number in range(4):
        while position < end and image[position] & 0x80 and (number, image[at + 8]) != (2, 1):
            position += 1
        position += 1
    return image[position] if position < end else None
