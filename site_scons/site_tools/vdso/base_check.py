# SPDX-License-Identifier: MIT
"""What a base must be, beyond a vDSO that can be read: of it an image can be made, and every program gets on with that."""

from __future__ import annotations

import re

from . import elf, mark
from .errors import OTHER_BASE, VdsoError
from .image import Image

NEEDED = {
    "clock_gettime": "programs find no other clock of a vDSO",
    "rt_sigreturn": "the kernel has signal handlers return to it",
}
"""Exports, without their `__vdso_`, that no image is without, and why."""
EXPORT = re.compile(r"(__vdso_)?[A-Za-z_][A-Za-z0-9_]{0,63}")  # an identifier of C and of Rust, in outputs too
_VERSION = re.compile(r"[A-Za-z0-9_.]+")


def refuse(image: Image) -> None:
    """VdsoError where no image can be made: code that is patched at boot, an image that is ours already."""
    name = image.name
    if any((n.owner, n.type) == (mark.OWNER, mark.TYPE) for n in image.notes):
        raise VdsoError(name, "already spliced: it carries a note of scons-vdso", "give the base that it was made from")
    for section in image.section_names:
        if section.startswith((".alternative", ".altinstr")):
            what = f"has code that Linux patches at boot (section {section})"
            raise VdsoError(name, what, "take it from a running Linux, or " + OTHER_BASE.removeprefix("take "))
    defined = [symbol for symbol in image.symbols if symbol.name and symbol.shndx != elf.SHN_UNDEF]
    for symbol in defined:
        if [s.name for s in defined].count(symbol.name) > 1:
            raise VdsoError(name, f"has two symbols {symbol.name}", OTHER_BASE)
        version = symbol.shndx == elf.SHN_ABS and symbol.bind != elf.STB_LOCAL and _VERSION.fullmatch(symbol.name)
        if symbol.name not in image.exports and not version:
            what = f"has a symbol {symbol.name} of type {symbol.type:#x} and binding {symbol.bind:#x}, no function to export"
            raise VdsoError(name, what, OTHER_BASE)
    for symbol in image.symbols:
        if symbol.shndx == elf.SHN_UNDEF and symbol.name.startswith("__vdso_"):  # some loaders call it all the same
            raise VdsoError(name, f"has {symbol.name} undefined", OTHER_BASE)
    called: dict[str, str] = {}
    for export in filter(EXPORT.fullmatch, image.exports):
        other = called.setdefault(export.removeprefix("__vdso_").upper(), export)
        if other != export:
            raise VdsoError(name, f"exports {other} and {export}, for which vdso.h can have no two names", OTHER_BASE)
    if not image.exports:
        raise VdsoError(name, "exports no function", OTHER_BASE)
    for needed, why in NEEDED.items():
        if needed in image.arch.policy and f"__vdso_{needed}" not in image.exports:
            raise VdsoError(name, f"exports no __vdso_{needed}: {why}", OTHER_BASE)
