# SPDX-License-Identifier: MIT
"""The rules of `verify` on an image for loongarch64 of Linux's vDSO: it breaks none, and what breaks a rule is found."""

from __future__ import annotations

import pytest
from arch.loongarch64.programs import LOONG
from image_builder import Patch
from scons_build import build
from vdso.arch.loongarch64.facts import LOONGARCH64
from vdso.image.reader import read_vdso
from vdso.verify import verify
from verify.sabotages import SABOTAGES, Sabotage

# Those that know how a vDSO for riscv64 is laid out; each of their rules has another one, here or there.
ELSEWHERE = ("DF_TEXTREL in", "soname is LINUX_4.15", "clock_gettime ends at", "the file ends at 0x1000")
CHANGES = [s for s in SABOTAGES if s.change and not any(text in s.text for text in ELSEWHERE)]
DAY, CLOCK = "__vdso_gettimeofday", "__vdso_clock_gettime"
RET = 0x4C000020
CODE = (
    ("code-inside", "forms absolute 0x8", DAY, (0x28C02004, RET)),  # ld.d $a0, $zero, 8
    ("code-inside", "forms", DAY, (0x1A001004, 0x28C00084, RET)),  # pcalau12i $a0, 128; ld.d $a0, $a0, 0
    ("code-known", "reaches unknown instructions", DAY, (0x00000000, RET)),
    ("code-known", "reads registers that only a kernel sets", DAY, (0x00006880, RET)),  # rdtime.d $zero, $a0
    ("code-known", "reads registers that only a kernel sets", DAY, (0x00006C84, RET)),  # cpucfg $a0, $a0
    ("code-registers", "writes tp", DAY, (0x00150082, RET)),  # move $tp, $a0
    ("code-registers", "uses tp", DAY, (0x00150044, RET)),  # move $a0, $tp
    ("code-stack", "loads the stack pointer", DAY, (0x28C00083, RET)),  # ld.d $sp, $a0, 0
    ("code-asks-kernel", "never makes", CLOCK, (0x00150004, RET)),  # move $a0, $zero
)
"""Rule, a part of its text, and the words that a function then begins with."""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    out = build(tmp_path_factory.mktemp("rules"), f"BASE={LOONG.base('linux')}", "ARCH=loongarch64")
    return (out / "vdso.so").read_bytes()


def test_no_rule_is_broken(image: bytes) -> None:
    report = verify(image, LOONGARCH64)
    assert report.findings == ()
    assert report.rules > 90


@pytest.mark.parametrize("sabotage", CHANGES, ids=lambda s: f"{s.rule}-{s.text}")
def test_what_breaks_a_rule_breaks_it_here_too(image: bytes, sabotage: Sabotage) -> None:
    patch = Patch(image)
    assert sabotage.change is not None
    sabotage.change(patch)
    assert sabotage.rule in verify(patch.image, LOONGARCH64).broken


@pytest.mark.parametrize(("rule", "said", "export", "words"), CODE)
def test_code_that_breaks_a_rule_is_found(image: bytes, rule: str, said: str, export: str, words: tuple[int, ...]) -> None:
    at = read_vdso("image", image, LOONGARCH64).exports[export].value
    code = b"".join(word.to_bytes(4, "little") for word in words)
    report = verify(image[:at] + code + image[at + len(code) :], LOONGARCH64)
    assert rule in report.broken
    assert any(said in finding.what for finding in report.findings if finding.rule == rule), report.findings


def test_another_soname_is_found(image: bytes) -> None:
    assert verify(image.replace(b"linux-vdso.so.1", b"linux-vdso.so.2"), LOONGARCH64).broken[:1] == ("soname",)


def test_functions_that_overlap_are_found(image: bytes) -> None:
    first, second, *_ = sorted(symbol.value for symbol in read_vdso("image", image, LOONGARCH64).exports.values())
    name = next(n for n, symbol in read_vdso("image", image, LOONGARCH64).exports.items() if symbol.value == first)
    patch = Patch(image)
    patch.symbol(name, size=second - first + 4)
    assert "symbols-apart" in verify(patch.image, LOONGARCH64).broken
