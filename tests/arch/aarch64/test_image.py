# SPDX-License-Identifier: MIT
"""Images for AArch64, of our own base and of Linux's: all rules hold, and each that is broken there is found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from arch.aarch64.assembled import assemble
from arch.aarch64.programs import ARM
from image_builder import Patch
from scons_build import build
from vdso.arch.aarch64.facts import AARCH64
from vdso.elf import elf64
from vdso.image.reader import read_vdso
from vdso.verify import verify

CLOCK, DAY = map(AARCH64.export, ("clock_gettime", "gettimeofday"))
REAL = ARM.linux()


def made(folder: Path, *words: str) -> bytes:
    return (build(folder, "ARCH=aarch64", *words) / "vdso.so").read_bytes()


@pytest.fixture(scope="module")
def minimal(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return made(tmp_path_factory.mktemp("minimal"), "BASE=minimal")


def test_nothing_is_found(minimal: bytes) -> None:
    assert verify(minimal, AARCH64).findings == ()


def test_names_and_version_are_those_of_the_architecture(minimal: bytes) -> None:
    patch = Patch(minimal)
    patch.symbol(DAY, value=0x10000)
    assert "symbol-inside" in verify(patch.image, AARCH64).broken
    patch = Patch(minimal)
    patch.data = patch.data.replace(b"LINUX_2.6.39", b"LINUX_2.6.40")
    assert {"version-name", "verdef-hash"} & set(verify(patch.image, AARCH64).broken)
    patch = Patch(minimal)
    at = patch.symbol_of(AARCH64.export("rt_sigreturn")).value
    patch.put(at, "<I", 0xD2801148)
    assert "sigreturn-bytes" in verify(patch.image, AARCH64).broken


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        (["adr x2, .-0x8000"], "code-inside"),
        (["adrp x2, #0x100000", "ldr x2, [x2, #16]"], "code-inside"),
        (["ldr x2, .+0x8000"], "code-inside"),
        (["mov x2, #0x1000", "ldr x2, [x2]"], "code-inside"),
        (["adr x2, .", "mov x3, #0x8000", "ldr x2, [x2, x3, lsl #3]"], "code-inside"),
        (["hvc #0"], "code-known"),
        (["br x2"], "code-known"),
        (["mrs x2, ctr_el0"], "code-known"),
        (["mrs x2, tpidr_el0"], "code-registers"),
        (["msr tpidr_el0, x2"], "code-registers"),
        (["mov x18, #1"], "code-registers"),
        (["mov sp, x2"], "code-stack"),
        (["ldr x2, [x3]", "add sp, x2, #0"], "code-stack"),
    ],
    ids=lambda value: "; ".join(value) if isinstance(value, list) else value,
)
def test_code_that_breaks_a_rule_is_found(minimal: bytes, lines: list[str], rule: str) -> None:
    """In gettimeofday, before its system call."""
    patch = Patch(minimal)
    symbol = patch.symbol_of(DAY)
    code = assemble([*lines, "mov x8, #169", "svc #0", "ret"])
    assert len(code) <= symbol.size
    patch.data[symbol.value : symbol.value + len(code)] = code
    assert verify(patch.image, AARCH64).broken == (rule,)


def test_code_may_move_the_stack_by_constants(minimal: bytes) -> None:
    patch = Patch(minimal)
    at = patch.symbol_of(DAY).value
    code = assemble(["stp x29, x30, [sp, #-32]!", "mov x29, sp", "mov x8, #169", "svc #0", "ldp x29, x30, [sp], #32", "ret"])
    patch.data[at : at + len(code)] = code
    assert verify(patch.image, AARCH64).findings == ()


def test_a_clock_that_never_asks_the_kernel_is_found(minimal: bytes) -> None:
    patch = Patch(minimal)
    at = patch.symbol_of(CLOCK).value
    code = assemble(["mov x0, #0", "ret"])
    patch.data[at : at + len(code)] = code
    assert verify(patch.image, AARCH64).broken == ("code-asks-kernel",)


@pytest.mark.parametrize(
    "words",
    [(), ("DATA_PAGE=before", "PAGE_SIZE=16384"), ("DATA_PAGE=none", "TIMEBASE_HZ=62500000"), ("PAGE_SIZE=65536",)],
    ids=" ".join,
)
@pytest.mark.parametrize("name", REAL)
def test_an_image_of_linux(name: str, words: tuple[str, ...], tmp_path: Path) -> None:
    """It is patched at boot in what goes, and has no unwind information, so none is made."""
    base = ARM.vdso(name)
    image = made(tmp_path, f"BASE={base}", *words)
    facts = json.loads((tmp_path / "vdso.json").read_text())
    policies = {AARCH64.short(export["name"]): export["policy"] for export in facts["exports"]}
    assert policies == dict(AARCH64.policy)
    assert len(read_vdso("base.so", base.read_bytes(), AARCH64).patched) == 5
    assert verify(image, AARCH64).findings == ()
    with pytest.raises(LookupError):
        Patch(image).phdr(elf64.PT_GNU_EH_FRAME)
    symbol = Patch(image).symbol_of(AARCH64.export("rt_sigreturn"))
    assert symbol.info == elf64.STB_GLOBAL << 4 | elf64.STT_FUNC
    assert image[symbol.value : symbol.value + symbol.size] == AARCH64.sigreturn
    assert b"getrandom" not in image


@pytest.mark.parametrize("name", REAL)
def test_a_base_as_a_running_linux_has_it(name: str, tmp_path: Path) -> None:
    """With the counter of FEAT_ECV in place of `isb; mrs`, whole pages of it: the same policy."""
    base = ARM.vdso(name)
    data, vdso = bytearray(base.read_bytes()), read_vdso("base.so", base.read_bytes(), AARCH64)
    self_synchronised = assemble(["nop", "mrs x2, s3_3_c14_c0_6"])
    for place in vdso.patched:
        if place.size == len(self_synchronised):
            data[place.start : place.start + place.size] = self_synchronised
        else:
            data[place.start : place.start + place.size] = assemble(["nop"])
    dump = tmp_path / "dump"
    dump.write_bytes(bytes(data).ljust(-(-len(data) // 4096) * 4096, b"\0"))
    assert verify(made(tmp_path / "out", f"BASE={dump}"), AARCH64).findings == ()
