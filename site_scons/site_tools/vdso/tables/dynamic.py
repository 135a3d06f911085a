# SPDX-License-Identifier: MIT
"""PT_DYNAMIC of an image: the base's, with the tables where they are now."""

from __future__ import annotations

from collections.abc import Mapping

from ..elf import elf64
from ..errors import OTHER_BASE, VdsoError
from ..image.model import Vdso
from .kinds import DYNSTR, DYNSYM, GNU_HASH, HASH, VERSYM


def make_dynamic(base: Vdso, places: Mapping[str, int], names_size: int) -> bytes:
    """Return PT_DYNAMIC with the tables at their places. A hash table that the base lacks takes a spare DT_NULL.

    VdsoError where there is none to spare: the last DT_NULL ends the table.
    """
    values = {
        elf64.DT_HASH: places[HASH],
        elf64.DT_GNU_HASH: places[GNU_HASH],
        elf64.DT_SYMTAB: places[DYNSYM],
        elf64.DT_STRTAB: places[DYNSTR],
        elf64.DT_STRSZ: names_size,
        elf64.DT_VERSYM: places[VERSYM],
    }
    present = [(tag, values.get(tag, value)) for tag, value in base.dynamic if tag != elf64.DT_NULL]
    missing = [(tag, value) for tag, value in values.items() if tag not in dict(present)]
    entries = present + missing
    if len(entries) >= len(base.dynamic):
        at = base.tables[".dynamic"].start
        what = f"PT_DYNAMIC at {at:#x} has {len(base.dynamic) - len(present)} DT_NULL, {len(missing) + 1} are needed"
        raise VdsoError(base.name, what, OTHER_BASE)
    entries += [(elf64.DT_NULL, 0)] * (len(base.dynamic) - len(entries))
    return b"".join(elf64.DYN.pack(*entry) for entry in entries)
