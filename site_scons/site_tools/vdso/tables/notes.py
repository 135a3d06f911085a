# SPDX-License-Identifier: MIT
"""The notes of an image: those of the base that still hold, a build-id of its own, and the note by which we know it again."""

from __future__ import annotations

from ..elf import elf64, our_note
from ..image.model import Note, Vdso

BUILD_ID_SIZE = 20  # SHA-1, as ld makes it
BUILD_ID_AT = 16
"""Offset of the build-id in the notes: behind the header of the first note and its owner, `GNU`."""


def make_notes(base: Vdso, ours: bytes) -> bytes:
    """Return PT_NOTE: a build-id of zeros, to be filled in, then the base's other notes, then ours with that name.

    A property note goes: it says what all code of a file can do, landing pads for one, and stubs can do less.
    """
    build_id = Note(b"GNU\0", elf64.NT_GNU_BUILD_ID, bytes(BUILD_ID_SIZE))
    gone = [(build_id.owner, kind) for kind in (elf64.NT_GNU_BUILD_ID, elf64.NT_GNU_PROPERTY_TYPE_0)]
    others = [n for n in base.notes if (n.owner, n.type) not in gone]
    mark = Note(ours, our_note.TYPE, b"")
    return b"".join(note.pack() for note in (build_id, *others, mark))
