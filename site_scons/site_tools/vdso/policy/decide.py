# SPDX-License-Identifier: MIT
"""Decides what becomes of each export of the base (replace, syscall, keep or hide), and lists those that are added."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from ..arch.arch import ADD, HIDE, KEEP, REPLACE, SYSCALL, Arch
from ..errors import OTHER_BASE, VdsoError
from ..image.analysis import Function, analyse, outside
from ..image.model import Vdso
from ..suggest import choice
from .base_check import NEEDED, nameable

_KINDS = (REPLACE, SYSCALL, KEEP, HIDE)
_OPTION = "POLICY"


@dataclass(frozen=True)
class Decision:
    """What becomes of one export.

    export      its name, with the prefix
    stub        the symbol of our code or the user's that takes its place; "" for keep and hide
    """

    export: str
    policy: str
    stub: str = ""


def parse_policy(text: str, arch: Arch) -> dict[str, str]:
    """Return the value of POLICY (`getcpu:syscall,getrandom:hide`) as a table. VdsoError for another form."""
    table: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        export, colon, kind = (part.strip() for part in item.partition(":"))
        export = arch.short(export)
        if not colon or kind not in _KINDS:
            todo = f"KIND is one of {', '.join(_KINDS)}" if not kind else f"`{kind}`: {choice(kind, _KINDS)}"
            raise VdsoError(_OPTION, f"`{item}` is not EXPORT:KIND", todo)
        if export in table:
            raise VdsoError(_OPTION, f"`{export}` stands in it twice", "leave one of them out")
        table[export] = kind
    return table


def intended(base: Vdso, overrides: Mapping[str, str], replacements: Container[str]) -> dict[str, str]:
    """Return the policy that is asked for each export of `base`, in the order of their addresses; `decide` checks it.

    An export that neither the user nor the architecture's table names is kept if its code provably reads nothing outside
    of the image and if C and Rust can have its name; otherwise it is hidden. VdsoError for an override of an export that
    `base` does not have.
    """
    exports = {base.arch.short(name): name for name in base.exports}
    ours = {short for short in lacking(base) if overrides.get(short) != KEEP}
    for unknown in overrides.keys() - exports.keys() - ours:
        raise VdsoError(_OPTION, f"{base.name} has no export `{unknown}`", choice(unknown, sorted(exports), "it has"))
    kinds = {}
    for short, name in exports.items():
        kind = overrides.get(short) or (REPLACE if name in replacements else base.arch.policy.get(short))
        kinds[name] = kind or (HIDE if not nameable(name, base.arch) or unsafe(base, name) else KEEP)
    return kinds


def lacking(base: Vdso) -> dict[str, str]:
    """Return what programs look for and `base` does not have: export, without its prefix, to the policy by which we have it.

    A kernel can be configured, or patched, so that its vDSO has no clock (Linux 5.4.286).
    """
    arch = base.arch
    here = {arch.short(name) for name in base.exports}
    clock = {short: kind for short, kind in arch.policy.items() if kind == REPLACE}
    return {short: kind for short, kind in {**clock, **dict.fromkeys(arch.asserted, SYSCALL)}.items() if short not in here}


def decide(
    base: Vdso, overrides: Mapping[str, str], replacements: Mapping[str, str], users: Sequence[str] = ()
) -> tuple[Decision, ...]:
    """Return one decision for every export of `base`, in the order of their addresses, then one for each that is added.

    overrides       export, without its prefix, to policy: the user's choice
    replacements    symbol that a stub source defines to that file
    users           those symbols that the user exports, whether or not `base` has them

    VdsoError for an export that can't be kept or replaced, or is not there.
    """
    added = [name for name in users if name not in base.exports]
    for name in added:
        short = base.arch.short(name)
        if short in overrides:
            what = f"`{short}` is not in the base: {replacements[name]} adds it"
            raise VdsoError(_OPTION, what, f"take {name} out of there, or out of POLICY")
    decisions = []
    for name, kind in intended(base, overrides, replacements).items():
        short = base.arch.short(name)
        if kind == HIDE and short in NEEDED:
            raise VdsoError(_OPTION, f"`{short}:hide`: {NEEDED[short]}", f"leave {short} as it is")
        if kind != HIDE and not nameable(name, base.arch):
            raise VdsoError(_OPTION, f"`{short}:{kind}`: vdso.h and vdso.rs can have no such name", f"take hide for {short}")
        reason = unsafe(base, name) if kind == KEEP else ""
        if reason:
            raise VdsoError(_OPTION, f"`{short}:keep` is unsafe: {reason}", _in_place_of_keep(base.arch, short))
        decisions.append(Decision(name, kind, _stub(base.arch, name, kind, replacements)))
    for short, kind in lacking(base).items():
        name = base.arch.export(short)
        wanted = overrides.get(short, kind)
        if wanted == HIDE and short in NEEDED:
            raise VdsoError(_OPTION, f"`{short}:hide`: {NEEDED[short]}", f"leave {short} out of POLICY")
        if wanted != HIDE and name not in added:
            decisions.append(Decision(name, ADD, _stub(base.arch, name, wanted, replacements)))
    return tuple(decisions + [Decision(name, ADD, name) for name in added])


def _in_place_of_keep(arch: Arch, short: str) -> str:
    others = [kind for kind, can in ((SYSCALL, short in arch.syscalls), (HIDE, short not in NEEDED)) if can]
    return f"take {' or '.join(others)} for {short}" if others else OTHER_BASE


def unsafe(base: Vdso, export: str) -> str:
    """Say why the code of `export` can't be kept; "" where it provably reads nothing outside of the image."""
    symbol = base.exports[export]
    function = analyse(base.data, symbol.value, base.arch)
    return _why_unsafe(function, len(base.data)) or _relocated(base, function) or _patched(base, function)


def _patched(base: Vdso, function: Function) -> str:
    """Say which of the code is for one sort of CPU alone: as it lies in the base, Linux may have patched it or not.

    All that an image does not keep may be so, and either is whole code.
    """
    for place in base.patched:
        if any(span.overlaps(place) for span in function.covered):
            return f"Linux patches its code at {place.start:#x} at boot, to suit the CPU"
    return ""


def _relocated(base: Vdso, function: Function) -> str:
    """Say which word the code may read that waits for a relocation: one in the same stretch of data as an address of its."""
    for word in base.relocated:
        stretches = [span for span in base.between if span.overlaps(word)] or [word]
        for formed in function.formed:
            if formed.kind != "jump" and any(span.holds(formed.target) for span in stretches):
                return (
                    f"its code at {formed.pc:#x} reads beside {word.start:#x}, which waits for a relocation that nobody makes"
                )
    for word in base.relocated:
        if any(span.overlaps(word) for span in function.covered):
            return f"its code at {word.start:#x} waits for a relocation that nobody makes"
    return ""


def _why_unsafe(function: Function, size: int) -> str:
    for formed in outside(function, size):
        sort = "absolute address" if formed.absolute else "address"
        return f"its code at {formed.pc:#x} forms the {sort} {formed.target:#x}, outside of the image (0 to {size:#x})"
    for formed in function.formed:
        if formed.kind == "store":
            return f"its code at {formed.pc:#x} writes to {formed.target:#x}, and an image can't be written"
    for pc in function.unknown:
        return f"its code at {pc:#x} can't be followed: an instruction, an address or a jump target is not known"
    for pc in function.state:
        return f"its code at {pc:#x} reads a register that only a kernel sets, and another one may set it otherwise"
    return ""


def _stub(arch: Arch, name: str, kind: str, replacements: Mapping[str, str]) -> str:
    """Return the symbol of the code that takes the place of the export `name`; "" where none does."""
    short = arch.short(name)
    if kind == REPLACE:
        if name not in replacements:
            what = f"`{short}:replace`: there is no {name} in the stub sources"
            raise VdsoError(_OPTION, what, "give one in EXTRA_SRC, or take syscall or hide")
        return name
    if kind == SYSCALL:
        if short not in arch.syscalls:
            what = f"`{short}:syscall`: no plain system call keeps its contract"
            raise VdsoError(_OPTION, what, f"this works for {', '.join(sorted(arch.syscalls))}")
        return arch.export(f"syscall_{short}")
    return ""
