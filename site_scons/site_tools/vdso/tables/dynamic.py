# SPDX-License-Identifier: MIT
"""PT_DYNAMIC of an image: the base's, with the tables where they are now."""

from __future__ import annotations

from collections.abc import Mapping

from ..elf import elf64
from ..image.model import Vdso
from .kinds import DYNSTR, DYNSYM, GNU_HASH, HASH, VERSYM

FIRST = (elf64.DT_HASH, elf64.DT_GNU_HASH, elf64.DT_STRTAB, elf64.DT_SYMTAB)
"""In this order, as GNU ld writes them. Who walks the table once needs the first three when DT_SYMTAB comes (stress-ng's
vdso stressor did); lld writes them in the opposite order, and a hash table that the base lacks would come last."""


def make_dynamic(base: Vdso, places: Mapping[str, int], names_size: int) -> bytes:
    """Return PT_DYNAMIC with the tables at their places, and one DT_NULL. A table that has no place yet is at 0.

    Relocations are gone, as GNU ld writes that: code that stays needs none.
    """
    values = {
        elf64.DT_HASH: places.get(HASH, 0),
        elf64.DT_GNU_HASH: places.get(GNU_HASH, 0),
        elf64.DT_SYMTAB: places.get(DYNSYM, 0),
        elf64.DT_STRTAB: places.get(DYNSTR, 0),
        elf64.DT_STRSZ: names_size,
        elf64.DT_VERSYM: places.get(VERSYM, 0),
        **dict.fromkeys((elf64.DT_RELA, elf64.DT_RELASZ, elf64.DT_RELACOUNT), 0),
    }
    present = [(tag, values.get(tag, value)) for tag, value in base.dynamic if tag != elf64.DT_NULL]
    first = next(index for index, (tag, _) in enumerate(present) if tag in FIRST)
    others = [entry for entry in present[first:] if entry[0] not in FIRST]
    entries = [*present[:first], *((tag, values[tag]) for tag in FIRST), *others, (elf64.DT_NULL, 0)]
    return b"".join(elf64.DYN.pack(*entry) for entry in entries)
