# SPDX-License-Identifier: MIT
"""Rules on the notes, and on what an image promises that carries our note."""

from __future__ import annotations

from collections.abc import Iterator

from ...elf import our_note
from ...elf.elf64 import NT_GNU_BUILD_ID, PAGE, pages
from ..model import Subject, signed
from ..rule import GDB, KERNEL, rule

LEAST_BUILD_ID = 8
COUNTER_SIZE = 8


@rule("notes", (GDB, "reads notes that run on"))
def notes(s: Subject) -> Iterator[str]:
    """Every PT_NOTE can be walked to its end. gABI, "Note Section"."""
    if s.notes is None:
        yield "the notes of PT_NOTE run out of it"


@rule("build-id", (GDB, "and perf can't tell this image from another"))
def build_id(s: Subject) -> Iterator[str]:
    """A PT_NOTE holds NT_GNU_BUILD_ID of at least 8 bytes. gdb and perf cache symbols by it."""
    if s.notes is None or not s.segments:
        return
    ids = [note.desc for note in s.notes if (note.owner, note.type) == ("GNU", NT_GNU_BUILD_ID)]
    if not ids:
        yield "no build-id note"
    elif len(ids[0]) < LEAST_BUILD_ID:
        yield f"the build-id has 0x{len(ids[0]):x} bytes, at least 0x{LEAST_BUILD_ID:x}"


@rule("our-note", (KERNEL, "can't know where the data page goes"))
def our_layout(s: Subject) -> Iterator[str]:
    """Our note has three numbers and a version, the first of them the layout that this version knows. elf/our_note.py."""
    if s.ours and s.layout != our_note.LAYOUT:
        has = "no three numbers" if s.layout is None else f"layout 0x{s.layout:x}"
        yield f"our note has {has}, must have layout 0x{our_note.LAYOUT:x}"


@rule("data-page", (KERNEL, "can't map the data page"))
def data_page(s: Subject) -> Iterator[str]:
    """The data page is a page, and not on the image; the counter is a word of yet another page.

    docs/how-it-works.md#place-and-link: behind it, before it, or nowhere. docs/counter.md.
    """
    data, counter, end = s.data_offset, s.counter_offset, max(s.size, len(s.image))
    if data is not None and data % PAGE:
        yield f"the data page at {signed(data)} does not begin a page (0x{PAGE:x})"
    elif data is not None and -PAGE < data < end:
        yield f"the data page at {signed(data)} lies on the image (0x0 to 0x{end:x})"
    if counter is not None and counter % COUNTER_SIZE:
        yield f"the counter at {signed(counter)} is no aligned word (0x{COUNTER_SIZE:x})"
    elif counter is not None and (-PAGE < counter // PAGE * PAGE < end or counter // PAGE * PAGE == data):
        yield f"the counter at {signed(counter)} lies on the image (0x0 to 0x{end:x}) or on the data page"


@rule("whole-pages", (KERNEL, "shows programs its own memory behind the image"))
def whole_pages(s: Subject) -> Iterator[str]:
    """An image of ours is whole pages, the last of which its load ends in: it shows nothing of the kernel's memory.

    docs/how-it-works.md#splice.
    """
    if s.ours and (len(s.image) % PAGE or pages(s.size) * PAGE < len(s.image)):
        sizes = f"the file has 0x{len(s.image):x} bytes, its load 0x{s.size:x}"
        yield f"{sizes}, must be whole pages of 0x{PAGE:x}, the last of which the load ends in"
