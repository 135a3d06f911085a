# SPDX-License-Identifier: MIT
"""Refuses a vDSO that parses but can't become an image that every program accepts."""

from __future__ import annotations

import re
from collections import Counter

from ..arch.arch import KEEP, Arch
from ..elf import elf64, our_note
from ..errors import OTHER_BASE, VdsoError
from ..image.model import Symbol, Vdso

NEEDED = {
    "clock_gettime": "programs find no other clock of a vDSO",
    "rt_sigreturn": "the kernel has signal handlers return to it",
}
"""Exports, without their prefix, that every image must have, and why."""
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_VERSION = re.compile(r"[A-Za-z0-9_.]+")


def nameable(export: str, arch: Arch) -> bool:
    """Tell whether C and Rust can have an export's name as a constant."""
    return bool(_IDENTIFIER.fullmatch(arch.short(export)))


def refuse_base(base: Vdso) -> None:
    """Refuse, with VdsoError, a base that no image can be made of."""
    for check in (_ours, _symbols, _undefined, _constants, _needed):
        check(base)


def _ours(base: Vdso) -> None:
    if any(our_note.marks_image(note.owner, note.type) for note in base.notes):
        what = "already spliced: it carries a note of scons-vdso"
        raise VdsoError(base.name, what, "give the base that it was made from")


def _symbols(base: Vdso) -> None:
    """Refuse two symbols of one name, and a symbol that is neither a function to export nor the name of a version."""
    defined = [symbol for symbol in base.symbols if symbol.name and symbol.shndx != elf64.SHN_UNDEF]
    counts = Counter(symbol.name for symbol in defined)
    for symbol in defined:
        if counts[symbol.name] > 1:
            raise VdsoError(base.name, f"has two symbols {symbol.name}", OTHER_BASE)
        if symbol.name not in base.exports | base.aliases and not _names_version(symbol):
            what = f"has a symbol {symbol.name} of type {symbol.type:#x} and binding {symbol.bind:#x}, no function to export"
            raise VdsoError(base.name, what, OTHER_BASE)


def _names_version(symbol: Symbol) -> bool:
    return symbol.shndx == elf64.SHN_ABS and symbol.bind != elf64.STB_LOCAL and bool(_VERSION.fullmatch(symbol.name))


def _undefined(base: Vdso) -> None:
    for symbol in base.symbols:
        if symbol.shndx == elf64.SHN_UNDEF and symbol.name.startswith(base.arch.export_prefix):
            # some loaders call an undefined export all the same
            raise VdsoError(base.name, f"has {symbol.name} undefined", OTHER_BASE)


def _constants(base: Vdso) -> None:
    """Refuse two exports that make the same constant of vdso.h."""
    called: dict[str, str] = {}
    for export in (export for export in base.exports if nameable(export, base.arch)):
        other = called.setdefault(base.arch.short(export).upper(), export)
        if other != export:
            raise VdsoError(base.name, f"exports {other} and {export}, for which vdso.h can have no two names", OTHER_BASE)


def _needed(base: Vdso) -> None:
    """Refuse a base without an export that only a Linux has the code of: what is ours, such as a clock, is added."""
    if not base.exports:
        raise VdsoError(base.name, "exports no function", OTHER_BASE)
    for needed, why in NEEDED.items():
        if base.arch.policy.get(needed) == KEEP and base.arch.export(needed) not in base.exports:
            raise VdsoError(base.name, f"exports no {base.arch.export(needed)}: {why}", OTHER_BASE)
