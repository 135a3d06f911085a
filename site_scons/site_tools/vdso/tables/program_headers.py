# SPDX-License-Identifier: MIT
"""The program headers of an image: those that somebody looks at in a vDSO, in the order that all readers take.

The load comes first: LLVM libc wants it before PT_DYNAMIC. What else a base has is gone. The attributes of a machine, by
lld, name bytes behind the load, where other things lie in an image; PT_GNU_PROPERTY tells of code that is not there any more;
a vDSO has no stack of its own to speak of (PT_GNU_STACK), and rustix refuses PT_GNU_RELRO.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..elf import elf64
from ..elf.elf64 import EHDR, PHDR, Phdr
from ..image.model import Vdso
from ..ranges import Span


def span(unwind: bool) -> Span:
    """Return where the ELF header and the program headers lie; `unwind`: the image has unwind information."""
    return Span(0, EHDR.size + (1 + len(_tables(unwind))) * PHDR.size)


def program_headers(base: Vdso, places: Mapping[str, Span], loaded: int, page_size: int, unwind: bool) -> dict[str, Phdr]:
    """Return the headers by their names, in their order, for tables at `places` and a load of `loaded` bytes."""
    align = max(base.load.align, page_size)
    made = {"PT_LOAD": Phdr(elf64.PT_LOAD, elf64.PF_R | elf64.PF_X, 0, 0, 0, loaded, loaded, align)}
    for name, (kind, table, align) in _tables(unwind).items():
        at, size = places[table].start, places[table].size
        made[name] = Phdr(kind, elf64.PF_R, at, at, at, size, size, align)
    return made


def _tables(unwind: bool) -> dict[str, tuple[int, str, int]]:
    """Return the headers of tables: name to type, table and alignment."""
    found = {"PT_DYNAMIC": (elf64.PT_DYNAMIC, ".dynamic", 8), "PT_NOTE": (elf64.PT_NOTE, ".note", 4)}
    if unwind:
        found["PT_GNU_EH_FRAME"] = (elf64.PT_GNU_EH_FRAME, ".eh_frame_hdr", 4)
    return found
