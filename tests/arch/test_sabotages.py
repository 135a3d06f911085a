# SPDX-License-Identifier: MIT
"""What breaks a rule of `verify` breaks it in an image of every architecture too, and no other rule there.

A sabotage is made on an image of our own base, or on one of Linux's where our own has no room for it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
from arch.aarch64.programs import ARM
from arch.loongarch64.programs import LOONG
from image_builder import Patch
from kernel_builds import session_folder
from kernels.guests import Guest
from scons_build import build
from vdso.image.reader import read_vdso
from vdso.verify import RULES, identity, verify
from verify.sabotages import SABOTAGES

GUESTS = {guest.arch.name: guest for guest in (LOONG, ARM)}
CLOCK, DAY = "__vdso_clock_gettime", "__vdso_gettimeofday"


def overlap(patch: Patch) -> None:
    """Let the first function end in the second one."""
    exports = sorted(read_vdso("image", patch.image, patch.arch).exports.items(), key=lambda item: item[1].value)
    (name, first), (_, second) = exports[:2]
    patch.symbol(f"__vdso_{patch.arch.short(name)}", size=second.value - first.value + patch.arch.code_unit)


CHANGES: list[tuple[str, str, Callable[[Patch], object]]] = [
    *((s.rule, s.text, s.change) for s in SABOTAGES if s.change is not None),
    ("symbols-apart", "the first ends in the second", overlap),
]
ELSEWHERE = {
    f"{CLOCK} ends at": "sizes are those of riscv64",
    "no DT_NULL in the 13": "the linker writes another number of entries",
    "the file has 0xfff bytes": "a section table ends a page there",
    f"{DAY} from 0x10000": "it has an FDE, which another rule asks of",
    "DF_TEXTREL in DT_FLAGS 0x4": "it takes two spare entries",
    "the file ends at 0x1000": "an image of another size",
}
"""Texts of sabotages that are of the layout of riscv64's image, and why; each of their rules has another one."""
NEED_SPARE = {"dt-relaent", "no-relocations", "no-needed", "no-textrel"}
"""Rules on entries of PT_DYNAMIC that neither base has, nor room for them."""
OF_CODE = {"code-asks-kernel", "code-inside", "code-known", "code-registers", "code-stack", "sigreturn-bytes"}
"""Rules on machine code: tests/arch/*/ break them."""
OF_BUILT = {
    *("asserted-exports", "clock-gettime", "data-page", "dt-null", "fde-before-sigreturn", "kernel-pages", "no-old-symbols"),
    *("no-user-cfi", "notes", "sigreturn", "symbol-alias", "whole-pages"),
}
"""Rules that are broken by images that are built so: tests/verify has them. No code of these rules knows an architecture."""


@cache
def image(arch: str, base: str) -> bytes:
    guest = GUESTS[arch]
    out = session_folder() / f"sabotages-{arch}-{base}"
    return (build(out, f"ARCH={arch}", f"BASE={guest.base(base)}") / "vdso.so").read_bytes()


def broken(guest: Guest, change: Callable[[Patch], object]) -> tuple[str, ...]:
    """Return the rules that a change breaks; () where neither image has what it changes."""
    for base in ("minimal", "linux"):
        patch = Patch(image(guest.arch.name, base), guest.arch)
        try:
            change(patch)
        except (LookupError, StopIteration):
            continue
        if patch.image != image(guest.arch.name, base):
            return verify(patch.image, guest.arch).broken
    return ()


@pytest.mark.parametrize(("rule", "text", "change"), CHANGES, ids=lambda v: v if isinstance(v, str) else "")
@pytest.mark.parametrize("guest", GUESTS.values(), ids=GUESTS)
def test_a_sabotage_breaks_one_rule_and_only_it(guest: Guest, rule: str, text: str, change: Callable[[Patch], object]) -> None:
    found = broken(guest, change)
    if not any(part in text for part in ELSEWHERE) and (found or rule not in NEED_SPARE):
        assert found == (rule,)


@pytest.mark.parametrize("guest", GUESTS.values(), ids=GUESTS)
def test_every_rule_is_broken_alone_here_or_where_it_is_said(guest: Guest) -> None:
    alone = {rule for rule, _, change in CHANGES if broken(guest, change) == (rule,)}
    missing = {*RULES, *identity.RULES} - alone - OF_CODE - OF_BUILT
    assert missing <= NEED_SPARE
    assert not alone & OF_BUILT


@pytest.mark.parametrize("base", ["minimal", "linux"])
@pytest.mark.parametrize("guest", GUESTS.values(), ids=GUESTS)
def test_no_rule_is_broken_before(guest: Guest, base: str) -> None:
    report = verify(image(guest.arch.name, base), guest.arch)
    assert report.findings == ()
    assert report.rules > 90
