# SPDX-License-Identifier: MIT
"""What breaks a rule of `verify` breaks it in an image of every architecture too, and no other rule there.

A sabotage is made on an image of our own base, on one of Linux's where our own has no room for it, or on our own base itself,
linked anew with what the rule is about.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from arch.aarch64.programs import ARM
from arch.loongarch64.programs import LOONG
from arch.x86_64.programs import X86
from bases import minimal
from image_builder import DATA, Patch, with_our_note
from kernel_builds import session_folder
from kernels.guests import Guest
from minimal_base import relinked
from scons_build import build
from vdso.arch.arch import Arch
from vdso.elf import elf64, our_note
from vdso.image.reader import read_vdso
from vdso.verify import RULES, identity, verify
from verify.sabotages import SABOTAGES, cut

GUESTS = {guest.arch.name: guest for guest in (LOONG, ARM, X86)}
each = pytest.mark.parametrize("guest", GUESTS.values(), ids=GUESTS)
CLOCK, DAY = "__vdso_clock_gettime", "__vdso_gettimeofday"
BASES = ("minimal", "linux", "roomy")
Made = Callable[[bytes, Arch], bytes]


def overlap(patch: Patch) -> None:
    """Let the first function end in the second one."""
    exports = sorted(read_vdso("image", patch.image, patch.arch).exports.items(), key=lambda item: item[1].value)
    (name, first), (_, second) = exports[:2]
    patch.symbol(f"__vdso_{patch.arch.short(name)}", size=second.value - first.value + patch.arch.code_unit)


def take_our_note(patch: Patch) -> None:
    """Let nothing say where the data page is, which the code reads."""
    at = patch.data.index(our_note.IMAGE)
    patch.data[at : at + 1] = b"S"


CHANGES: list[tuple[str, str, Callable[[Patch], object]]] = [
    *((s.rule, s.text, s.change) for s in SABOTAGES if s.change is not None),
    ("symbols-apart", "the first ends in the second", overlap),
    ("architecture", "ELF for another machine", lambda p: p.header(machine=p.arch.machine ^ 1)),
    ("kernel-pages", "0x1000 to 0x2000; DATA=after:1 says", take_our_note),
]
ELSEWHERE = {
    f"{CLOCK} ends at": "sizes are those of riscv64",
    f"{DAY} from 0x10000": "it has an FDE, which another rule asks of",
    "the file has 0xfff bytes": "a section table ends a page there; our own base has it below",
    "the file ends at 0x1000": "an image of another size",
    "64-bit little-endian ELF for Advanced Micro Devices X86-64": "an image of one of them is that",
}
"""Texts of sabotages that are of riscv64's image, and why; each of their rules has another one."""
OF_CODE = {"code-asks-kernel", "code-inside", "code-known", "code-registers", "code-stack", "sigreturn-bytes"}
"""Rules on machine code: tests/arch/*/ break them."""


def plain(image: bytes, _arch: Arch) -> bytes:
    return image


def ours(data_offset: int = DATA, counter_offset: int = 0) -> Made:
    """Return what gives a base our note, and the order of PT_DYNAMIC that images of ours have."""

    def made(image: bytes, arch: Arch) -> bytes:
        patch = Patch(with_our_note(image, data_offset, counter_offset, arch), arch)
        start, symbols, end = patch.phdr(elf64.PT_DYNAMIC)[1].offset, patch.tag(elf64.DT_SYMTAB), patch.tag(elf64.DT_NULL)
        entry = patch.data[symbols : symbols + elf64.DYN.size]
        patch.data[start:end] = patch.data[start:symbols] + patch.data[symbols + elf64.DYN.size : end] + entry
        return patch.image

    return made


def patched(change: Callable[[Patch], object], finish: Made = plain) -> Made:
    def made(image: bytes, arch: Arch) -> bytes:
        patch = Patch(finish(image, arch), arch)
        change(patch)
        return patch.image

    return made


@dataclass(frozen=True)
class Built:
    """A way to break a rule by another base. In texts {} stands for what begins the name of an export.

    changes, options, strip     how our own base is linked anew
    finish                      what is then done with it
    applies                     whether the architecture has what the rule is about
    """

    rule: str
    text: str
    changes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    strip: bool = True
    finish: Made = plain
    applies: Callable[[Arch], bool] = lambda _arch: True

    def image(self, arch: Arch) -> bytes:
        changes = {
            name: (old.format(arch.export_prefix), new.format(arch.export_prefix)) for name, (old, new) in self.changes.items()
        }
        with tempfile.TemporaryDirectory() as folder:
            return self.finish(relinked(arch, Path(folder), changes, self.options, self.strip), arch)


def asserts(arch: Arch) -> bool:
    """Tell whether programs of the architecture ask for more than a clock: rustix for getcpu on some."""
    return bool(arch.asserted)


def returns(arch: Arch) -> bool:
    """Tell whether signal handlers return to the vDSO: on x86_64 to the C library."""
    return bool(arch.sigreturn)


def take_a_page(patch: Patch) -> None:
    """Let the image be a page longer."""
    patch.data += bytes(elf64.PAGE)
    patch.segment(elf64.PT_LOAD, filesz=len(patch.data), memsz=len(patch.data))


BUILT = (
    Built("clock-gettime", "no ", {"vdso.lds": ("{}clock_gettime;", "")}),
    Built("asserted-exports", "no ", {"vdso.lds": ("{}getcpu;", "")}, applies=asserts),
    Built("sigreturn", "no ", {"vdso.lds": ("{}rt_sigreturn;", "")}, applies=returns),
    Built(
        "fde-before-sigreturn",
        "rt_sigreturn begins",
        {"vdso.S": ("\n\tnop\n", "\n\t.cfi_startproc\n\tnop\n\t.cfi_endproc\n")},
        applies=returns,
    ),
    Built("no-user-cfi", "cf-protection=full", options=("--auxiliary=cf-protection=full",)),
    Built("no-old-symbols", ".symtab at", strip=False, finish=ours()),
    Built("notes", "run out of it", finish=patched(lambda p: p.put(p.phdr(elf64.PT_NOTE)[1].offset + 4, "<I", 0x1000))),
    Built(
        "symbol-alias",
        "clock_gettime is at 0x",
        {
            "vdso.S": (
                "\tsystem_call clock_gettime, VDSO_NR_CLOCK_GETTIME\n",
                "\tsystem_call clock_gettime, VDSO_NR_CLOCK_GETTIME\n\tsystem_call second, VDSO_NR_CLOCK_GETTIME\n"
                "\t.globl\tclock_gettime\n\t.set\tclock_gettime, {}second\n",
            ),
            "vdso.lds": ("{}clock_gettime;", "{}clock_gettime; clock_gettime;"),
        },
    ),
    Built("data-page", "the data page at 0x1008 does not begin a page", finish=ours(0x1008)),
    Built("data-page", "at 0x1000 lies on the image", finish=patched(take_a_page, ours())),
    Built("data-page", "the counter at 0x3004 is no aligned word", finish=ours(counter_offset=0x3004)),
    Built("data-page", "the counter at 0xff8 lies on the image", finish=ours(counter_offset=0xFF8)),
    Built("data-page", "or on the data page", finish=ours(counter_offset=DATA + 8)),
    Built("whole-pages", "the file has 0xfff bytes", finish=patched(cut, ours())),
    Built("whole-pages", "its load 0x1000", finish=patched(lambda p: p.data.extend(bytes(0x1000)), ours(-0x1000))),
)


@cache
def image(arch: str, base: str) -> bytes:
    """Return an image of a base, or `roomy`: our own base as an image, with more entries of PT_DYNAMIC and with spare ones."""
    guest = GUESTS[arch]
    if base == "roomy":
        with tempfile.TemporaryDirectory() as folder:
            room = {"vdso.lds": ("{ *(.dynamic) }", "{ *(.dynamic) . = . + 0x80; }")}
            patch = Patch(ours()(relinked(guest.arch, Path(folder), room), guest.arch), guest.arch)
        for tag, value in ((elf64.DT_RELA, 0), (elf64.DT_RELASZ, 0), (elf64.DT_RELAENT, elf64.RELA.size)):
            patch.add(tag, value)
        return patch.image
    out = session_folder() / f"sabotages-{arch}-{base}"
    return (build(out, f"ARCH={arch}", f"BASE={guest.base(base)}") / "vdso.so").read_bytes()


def broken(guest: Guest, change: Callable[[Patch], object]) -> tuple[str, ...]:
    """Return the rules that a change breaks in the first image that has what it changes."""
    for base in BASES:
        patch = Patch(image(guest.arch.name, base), guest.arch)
        try:
            change(patch)
        except (LookupError, StopIteration):
            continue
        if patch.image != image(guest.arch.name, base):
            return verify(patch.image, guest.arch).broken
    return ()


@pytest.mark.parametrize(("rule", "text", "change"), CHANGES, ids=lambda v: v if isinstance(v, str) else "")
@each
def test_a_sabotage_breaks_one_rule_and_only_it(guest: Guest, rule: str, text: str, change: Callable[[Patch], object]) -> None:
    if text not in ELSEWHERE:
        assert broken(guest, change) == (rule,)


@pytest.mark.parametrize("way", BUILT, ids=lambda way: f"{way.rule}: {way.text}")
@each
def test_a_base_that_is_built_so_breaks_one_rule_and_only_it(guest: Guest, way: Built) -> None:
    if way.applies(guest.arch):
        report = verify(way.image(guest.arch), guest.arch)
        assert report.broken == (way.rule,), report.findings
        assert all(way.text in finding.what for finding in report.findings), report.findings


@each
def test_every_rule_is_broken_alone_here_or_where_it_is_said(guest: Guest) -> None:
    rules = {*RULES, *identity.RULES}
    alone = {rule for rule, _, change in CHANGES if broken(guest, change) == (rule,)}
    built = {way.rule for way in BUILT if way.applies(guest.arch)}
    absent = {way.rule for way in BUILT} - built
    assert rules - alone - built - absent == OF_CODE


@pytest.mark.parametrize("base", BASES)
@each
def test_no_rule_is_broken_before(guest: Guest, base: str) -> None:
    report = verify(image(guest.arch.name, base), guest.arch)
    assert report.findings == ()
    assert report.rules > 90


@each
def test_our_own_base_breaks_no_rule(guest: Guest) -> None:
    base = minimal(guest.arch).read_bytes()
    for data_offset in (DATA, -DATA):
        assert verify(ours(data_offset)(base, guest.arch), guest.arch).findings == ()
    assert verify(base, guest.arch).findings == ()
