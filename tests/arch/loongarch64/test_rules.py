# SPDX-License-Identifier: MIT
"""The rules of `verify` on an image for loongarch64 of Linux's vDSO: it breaks none, and what breaks a rule is found."""

from __future__ import annotations

import pytest
from arch.loongarch64.programs import LOONG
from scons_build import build
from vdso.arch.loongarch64.facts import LOONGARCH64
from vdso.image.reader import read_vdso
from vdso.verify import verify

DAY, CLOCK = "__vdso_gettimeofday", "__vdso_clock_gettime"
RET = 0x4C000020
ASK = (0x0382A40B, 0x002B0000, RET)  # li.w $a7, 169; syscall 0
CODE = (
    ("code-inside", "forms absolute 0x8", DAY, (0x28C02004, *ASK)),  # ld.d $a0, $zero, 8
    ("code-inside", "forms", DAY, (0x1A001004, 0x28C00084, *ASK)),  # pcalau12i $a0, 128; ld.d $a0, $a0, 0
    ("code-known", "reaches unknown instructions", DAY, (0x00000000, *ASK)),
    ("code-known", "reads registers that only a kernel sets", DAY, (0x00006880, *ASK)),  # rdtime.d $zero, $a0
    ("code-known", "reads registers that only a kernel sets", DAY, (0x00006C84, *ASK)),  # cpucfg $a0, $a0
    ("code-registers", "writes tp", DAY, (0x00150082, *ASK)),  # move $tp, $a0
    ("code-registers", "uses tp", DAY, (0x00150044, *ASK)),  # move $a0, $tp
    ("code-stack", "loads the stack pointer", DAY, (0x28C00083, *ASK)),  # ld.d $sp, $a0, 0
    ("sigreturn-bytes", "must be", "__vdso_rt_sigreturn", (0x02822C0B, 0x002B0000)),  # addi.w $a7, $zero, 139; syscall 0
    ("code-asks-kernel", "never makes", CLOCK, (0x00150004, RET)),  # move $a0, $zero
)
"""Rule, a part of its text, and the words that a function then begins with."""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    out = build(tmp_path_factory.mktemp("rules"), f"BASE={LOONG.base('linux')}", "ARCH=loongarch64")
    return (out / "vdso.so").read_bytes()


@pytest.mark.parametrize(("rule", "said", "export", "words"), CODE)
def test_code_that_breaks_a_rule_is_found(image: bytes, rule: str, said: str, export: str, words: tuple[int, ...]) -> None:
    at = read_vdso("image", image, LOONGARCH64).exports[export].value
    code = b"".join(word.to_bytes(4, "little") for word in words)
    report = verify(image[:at] + code + image[at + len(code) :], LOONGARCH64)
    assert report.broken == (rule,)
    assert any(said in finding.what for finding in report.findings if finding.rule == rule), report.findings


def test_another_soname_is_found(image: bytes) -> None:
    assert verify(image.replace(b"linux-vdso.so.1", b"linux-vdso.so.2"), LOONGARCH64).broken[:1] == ("soname",)
