# SPDX-License-Identifier: MIT
"""The note in an image of ours: it marks the image as ours and says where the data page lies.

An ELF note (gABI, "Note Section") with owner `scons-vdso`, a type of its own, and a descriptor of 16 bytes:
data offset from the image's first byte, signed (0: no data page), then the layout's version, both 64-bit little-endian.
"""

from __future__ import annotations

import struct

OWNER = b"scons-vdso\0"
TYPE = 0x7664736F  # "vdso": not a number that tools know under another meaning
LAYOUT = 1


def descriptor(data_offset: int) -> bytes:
    """Return the descriptor for a data page at `data_offset`."""
    return struct.pack("<qQ", data_offset, LAYOUT)
