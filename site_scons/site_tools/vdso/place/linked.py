# SPDX-License-Identifier: MIT
"""Writes the linker script that puts each unit at its address, and reads the stubs as ld has linked them."""

from __future__ import annotations

import io
from dataclasses import dataclass

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from .. import templating
from ..elf import elf64
from ..errors import VdsoError
from .plan import Plan
from .units import DATA_SYMBOL


@dataclass(frozen=True)
class Linked:
    """The linked stubs: (address, bytes) of each unit, in the order of the plan."""

    units: tuple[tuple[int, bytes], ...]


def linker_script(plan: Plan) -> str:
    """Return the linker script of a plan. It finds an object file by the end of its path, `*NAME`."""
    return templating.render("stubs.ld.j2", plan=plan, data_symbol=DATA_SYMBOL)


def read_linked(name: str, data: bytes, plan: Plan) -> Linked:
    """Return the stubs in stubs.elf. VdsoError where ld made a section that the plan does not place."""
    try:
        file = ELFFile(io.BytesIO(data))
        mapped = [s for s in file.iter_sections() if s["sh_flags"] & elf64.SHF_ALLOC and s["sh_size"]]
        found = {s.name: (s["sh_addr"], s.data()) for s in mapped}
    except ELFError as error:
        raise VdsoError(name, f"not ELF: {error}", "set CROSS_COMPILE") from error
    planned = [f".vdso.{index}" for index in range(len(plan.units))]
    for extra in sorted(found.keys() - set(planned)):
        address, content = found[extra]
        what = f"ld made a section {extra} at {address:#x} of {len(content):#x} bytes"
        raise VdsoError(name, what, "stubs may use neither a GOT, nor relocations, nor writable data")
    return Linked(tuple(found[section] for section in planned))
