# SPDX-License-Identifier: MIT
"""Makes the tables of an image that are loaded. Placement asks for their sizes, splice for the bytes themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..elf.unwind import Fde, pack_frames
from ..image.model import Vdso
from ..policy.decide import Decision
from ..ranges import Span
from . import section_table
from .dynamic import make_dynamic
from .kinds import DYNAMIC, DYNSTR, DYNSYM, GNU_HASH, HASH, NOTE, UNWIND, VERSYM
from .names import FUNCTION, added, make_dynstr, visible
from .notes import make_notes
from .symbol_tables import make_symbol_tables


@dataclass(frozen=True)
class Code:
    """Where each export's function is in the image, and the unwind information of all of them."""

    functions: Mapping[str, Span]
    fdes: Sequence[Fde]


def make_tables(
    base: Vdso, decisions: Sequence[Decision], code: Code, places: Mapping[str, int], ours: bytes
) -> dict[str, bytes]:
    """Return the bytes of each table, for code and tables at their places. A table without a place is made for address 0.

    ours    the name of our note
    """
    text = section_table.index(section_table.TEXT, bool(base.fdes))
    moved = []
    for symbol in visible(base, decisions) + added(base, decisions):
        place = code.functions.get(base.aliases.get(symbol.name, symbol.name))
        moved.append(
            symbol if place is None else replace(symbol, info=FUNCTION, value=place.start, size=place.size, shndx=text)
        )
    found = make_symbol_tables(moved)
    strings = make_dynstr(base, decisions)
    tables = {
        HASH: found.hash,
        GNU_HASH: found.gnu_hash,
        DYNSYM: found.dynsym,
        DYNSTR: strings,
        VERSYM: found.versym,
        DYNAMIC: make_dynamic(base, places, len(strings)),
        NOTE: make_notes(base, ours),
    }
    if base.fdes:
        tables[UNWIND] = pack_frames(code.fdes, places.get(UNWIND, 0))
    return tables
