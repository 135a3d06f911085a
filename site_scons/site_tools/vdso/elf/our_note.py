# SPDX-License-Identifier: MIT
"""The notes by which what we made is known: an image, whose note says which pages the kernel maps beside it, and our own base.

Both are ELF notes (gABI, "Note Section") as System V made them to tell a version: the type is NT_VERSION, the name is all
there is. readelf shows it as text, and eu-elflint complains of every other note of an unknown maker. An image's is called

    scons-vdso image LAYOUT DATA COUNTER VERSION

LAYOUT is the version of the data page's layout. DATA says how far the page lies from the image's first byte, with a sign (0:
there is no data page), and COUNTER the same of a counter that is a word of a page (0: an instruction reads it). VERSION is
that of scons-vdso.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..version import VERSION
from .elf64 import NT_VERSION

TYPE = NT_VERSION
IMAGE = b"scons-vdso image "
"""What the name of an image's note begins with."""
MINIMAL = b"scons-vdso minimal\0"
"""The name of the note in `minimal`, whose bytes are ours too (vdso_src/*/minimal)."""
LAYOUT = 2

_NUMBERS = re.compile(rb"([0-9]{1,9}) (-?[0-9]{1,18}) (-?[0-9]{1,18}) [0-9.]{1,30}\0")


@dataclass(frozen=True)
class Mark:
    """What the note of an image says."""

    layout: int
    data_offset: int
    counter_offset: int


def name(data_offset: int, counter_offset: int) -> bytes:
    """Return the name of the note of an image with a data page and a counter at these offsets."""
    return IMAGE + f"{LAYOUT} {data_offset} {counter_offset} {VERSION}\0".encode()


def marks_image(owner: bytes, kind: int) -> bool:
    """Tell whether a note with this name and type is that of an image of ours, whatever numbers it has."""
    return kind == TYPE and owner.startswith(IMAGE)


def read(owner: bytes) -> Mark | None:
    """Return what the note of an image says by its name; None where there are no three numbers and a version in it."""
    numbers = _NUMBERS.fullmatch(owner.removeprefix(IMAGE))
    return None if numbers is None else Mark(*map(int, numbers.groups()))
