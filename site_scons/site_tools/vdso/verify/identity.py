# SPDX-License-Identifier: MIT
"""The rules that come before all others: the image is ELF, for the right architecture, and not a whole library."""

from __future__ import annotations

from elftools.elf.descriptions import describe_e_machine
from elftools.elf.elffile import ELFFile
from elftools.elf.enums import ENUM_E_MACHINE

from ..arch.arch import Arch

READABLE, CORE, ARCHITECTURE, TOO_LARGE = "readable", "no-core", "architecture", "too-large"
RULES = (READABLE, CORE, ARCHITECTURE, TOO_LARGE)
MOST = 0x40000
MOST_SYMBOLS = 0x100


def refusal(elffile: ELFFile | str, size: int, arch: Arch, name: str) -> tuple[str, str] | None:
    """Return the rule that the image breaks, and what it is instead; None for a 64-bit little-endian ELF file of `arch`.

    The largest vDSO that is known has 0x10000 bytes; to prove each function of a C library would take minutes. For the same
    reason `too_many` comes before all rules on symbols.
    ELF specification, "ELF Identification"; a compat vDSO is that of a 64-bit Linux for 32-bit programs.
    """
    if isinstance(elffile, str):
        return READABLE, f"{name} is not readable as ELF: {elffile}"
    if elffile.header["e_type"] == "ET_CORE":
        return CORE, f"{name} is a core, of which the image is one mapping: BASE={name} takes it out, as base.so"
    machine = elffile.header["e_machine"]
    number = ENUM_E_MACHINE.get(machine, machine) if isinstance(machine, str) else machine
    if (number, elffile.elfclass, elffile.little_endian) == (arch.machine, 64, True):
        what = f"{name} has 0x{size:x} bytes, a vDSO has 0x{MOST:x} at most: it is a program or a library"
        return (TOO_LARGE, what) if size > MOST else None
    order = "little-endian" if elffile.little_endian else "big-endian"
    called = describe_e_machine(machine) if isinstance(machine, str) else "an unknown machine"
    compat = " (a compat vDSO?)" if elffile.elfclass == 32 else ""
    return ARCHITECTURE, (
        f"{name} is {elffile.elfclass}-bit {order} ELF for {called}, e_machine 0x{number:x}{compat}; "
        f"{arch.name} is 64-bit little-endian, e_machine 0x{arch.machine:x}"
    )


def too_many(symbols: int, name: str) -> tuple[str, str] | None:
    """Return the rule that an image with so many symbols breaks, None if there are few. Linux's own have 0x20 at most."""
    what = f"{name} has {symbols} symbols, a vDSO has {MOST_SYMBOLS} at most: it is a program or a library"
    return (TOO_LARGE, what) if symbols > MOST_SYMBOLS else None
