# SPDX-License-Identifier: MIT
"""The note in an image of ours: it marks the image as ours and says where the pages lie that the kernel maps beside it.

An ELF note (gABI, "Note Section") with owner `scons-vdso`, a type of its own, and a descriptor of three 64-bit little-endian
words: data offset from the image's first byte, signed (0: no data page), then the layout's version, then the offset of the
counter, signed too, where it is a word of a page (0: an instruction reads it).
"""

from __future__ import annotations

import struct

OWNER = b"scons-vdso\0"
TYPE = 0x7664736F  # "vdso": not a number that tools know under another meaning
LAYOUT = 2


DESCRIPTOR = struct.Struct("<qQq")


def descriptor(data_offset: int, counter_offset: int) -> bytes:
    """Return the descriptor for a data page and a counter at these offsets."""
    return DESCRIPTOR.pack(data_offset, LAYOUT, counter_offset)
