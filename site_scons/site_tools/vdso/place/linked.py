# SPDX-License-Identifier: MIT
"""Writes the linker script that puts each unit at its address, and reads the stubs as ld has linked them."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from operator import itemgetter

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from .. import templating
from ..elf import elf64
from ..errors import VdsoError
from .plan import Plan
from .units import COUNTER_SYMBOL, DATA_SYMBOL

_NOT_IN_A_PATTERN = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Linked:
    """The linked stubs: (address, bytes) of each unit, in the order of the plan."""

    units: tuple[tuple[int, bytes], ...]


def linker_script(plan: Plan) -> str:
    """Return the linker script of a plan, for GNU ld and for lld, which wants sections in the order of their addresses."""
    units = [
        {"name": _section(index), "address": unit.address, "object": _matching(unit.object), "sections": unit.sections}
        for index, unit in enumerate(plan.units)
    ]
    units.sort(key=itemgetter("address"))
    symbols = {DATA_SYMBOL: plan.data_offset} | ({COUNTER_SYMBOL: plan.counter_offset} if plan.counter_offset else {})
    return templating.render("stubs.ld.j2", units=units, symbols=symbols, entry=DATA_SYMBOL)


def _section(index: int) -> str:
    """Return the name of a unit's section in stubs.elf."""
    return f".vdso.{index}"


def _matching(name: str) -> str:
    """Return a pattern that matches only the path of this object file, in any folder.

    lld takes a pattern in quotes for a plain name. So each letter with a meaning to the linkers is replaced by `*`;
    `stub_objects` in scons/nodes.py makes names that differ in other letters.
    """
    return "*/" + _NOT_IN_A_PATTERN.sub("*", name)


def read_linked(name: str, data: bytes, plan: Plan) -> Linked:
    """Return the stubs in stubs.elf. VdsoError where ld made a section that the plan does not place."""
    try:
        file = ELFFile(io.BytesIO(data))
        mapped = [s for s in file.iter_sections() if s["sh_flags"] & elf64.SHF_ALLOC and s["sh_size"]]
        found = {s.name: (s["sh_addr"], s.data()) for s in mapped}
    except ELFError as error:
        raise VdsoError(name, f"not ELF: {error}", "set CROSS_COMPILE") from error
    planned = [_section(index) for index in range(len(plan.units))]
    for extra in sorted(found.keys() - set(planned)):
        address, content = found[extra]
        what = f"ld made a section {extra} at {address:#x} of {len(content):#x} bytes"
        raise VdsoError(name, what, "stubs may use neither a GOT, nor relocations, nor writable data")
    for section, unit in zip(planned, plan.units, strict=True):
        if section not in found:
            what = f"ld left {unit.sections[0]} of {unit.object} out, or put it elsewhere"
            raise VdsoError(name, what, "let each section have a name of its own in its file, and be in no group")
    return Linked(tuple(found[section] for section in planned))
