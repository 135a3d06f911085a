# SPDX-License-Identifier: MIT
"""Describes a base for `scons info`: map, headers, exports, what becomes of each, which addresses outside their code forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..arch.arch import HIDE, KEEP, REPLACE, SYSCALL
from ..elf import elf64
from ..elf.elf64 import pages
from ..image.analysis import analyse, outside
from ..image.model import Vdso
from ..policy.decide import intended, lacking, unsafe
from . import drawing, regions

_SEGMENTS = {
    elf64.PT_LOAD: "LOAD",
    elf64.PT_DYNAMIC: "DYNAMIC",
    elf64.PT_NOTE: "NOTE",
    elf64.PT_GNU_EH_FRAME: "GNU_EH_FRAME",
}
_TAGS = {value: name for name, value in vars(elf64).items() if name.startswith("DT_")}
# SGR parameters (ECMA-48, 8.3.117): each policy has a colour, and the rest is faint.
_COLOURS = {KEEP: "32", REPLACE: "1;33", SYSCALL: "36", HIDE: "31", "head": "1"}
_FAINT = "2"


@dataclass(frozen=True)
class Row:
    """One exported function.

    outside     (address of the instruction, address that it forms outside of the image), in the order of the code
    unsafe      why the function can't be kept; "" where it can
    """

    name: str
    version: int
    address: int
    size: int
    policy: str
    outside: tuple[tuple[int, int], ...]
    unsafe: str


def describe(base: Vdso, overrides: Mapping[str, str], coloured: bool) -> dict[str, Any]:
    """Return the values of the template info.txt.j2. `overrides`: of POLICY; `coloured`: for a terminal with colours.

    No stub is compiled for `info`, so functions of EXTRA_SRC are not shown.
    """
    policies = intended(base, overrides, ())
    found = regions.of_base(base, policies)
    return {
        "title": base.name,
        "arch": base.arch.name,
        "maker": base.maker,
        "build_id": base.build_id,
        "size": len(base.file),
        "load": len(base.data),
        "pages": pages(len(base.data)),
        "segments": [(_SEGMENTS.get(p.type, f"{p.type:#x}"), p) for p in base.phdrs],
        "dynamic": [(_TAGS.get(tag, f"{tag:#x}"), value) for tag, value in base.dynamic if tag != elf64.DT_NULL],
        "spare": sum(tag == elf64.DT_NULL for tag, _ in base.dynamic) - 1,
        "lines": drawing.lines(found),
        "cell": drawing.CELL,
        "legend": [(drawing.LETTERS[kind], kind) for kind in regions.KINDS if any(r.kind == kind for r in found)],
        "kinds": regions.KINDS,
        "regions": found,
        "undefined": [s.name for s in base.symbols if s.shndx == elf64.SHN_UNDEF and s.name],
        "rows": rows(base, policies),
        "added": [short for short in lacking(base) if overrides.get(short) != HIDE],
        "colour": {kind: f"\x1b[{_COLOURS.get(kind, _FAINT)}m" if coloured else "" for kind in (*regions.KINDS, "head")},
        "normal": "\x1b[0m" if coloured else "",
    }


def rows(base: Vdso, policies: Mapping[str, str]) -> list[Row]:
    """Return a row for each export, in the order of their addresses. `policies`: export to policy."""
    return [_row(base, name, policies[name]) for name in base.exports]


def _row(base: Vdso, name: str, policy: str) -> Row:
    symbol = base.exports[name]
    function = analyse(base.data, symbol.value, base.arch)
    formed = tuple((f.pc, f.target) for f in outside(function, len(base.data)))
    return Row(name, symbol.version, symbol.value, symbol.size, policy, formed, unsafe(base, name))
