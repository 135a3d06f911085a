# SPDX-License-Identifier: MIT
"""The text of every instruction is held against LLVM's: of generated words of each format, and of the bases."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest
from arch.loongarch64 import words
from arch.loongarch64.programs import LOONG
from vdso.arch.loongarch64.decode import INSTRUCTIONS, decode, text
from vdso.image.reader import read_vdso

NO_WORD = ".word"


def ours(code: bytes) -> list[str]:
    return [line for _, _, line in text(code, 0, len(code))]


def test_names_and_operands_are_llvms(tmp_path: Path) -> None:
    """What the decoder claims is in LLVM the same instruction with the same operands."""
    given = words.every(random.Random(1), 100)
    assert ours(words.code(given)) == words.of_llvm(given, tmp_path)
    assert all(decode(words.code([word]), 0) for word in given)


def test_no_word_is_taken_for_another(tmp_path: Path) -> None:
    """Of words by chance, and those a bit beside what is claimed, each is unknown or what LLVM calls it."""
    rng = random.Random(2)
    given = [rng.getrandbits(32) for _ in range(50000)]
    given += [word for instruction in INSTRUCTIONS for word in words.beside(instruction, rng)]
    known = 0
    for word, line, llvms in zip(given, ours(words.code(given)), words.of_llvm(given, tmp_path), strict=True):
        if line == f"{NO_WORD} {word:#010x}":
            assert decode(words.code([word]), 0) is None
        else:
            known += 1
            assert line == llvms, f"{word:#x}"
    assert known > len(given) // 4


def test_each_opcode_lies_in_its_mask_and_no_two_meet() -> None:
    for instruction in INSTRUCTIONS:
        assert not instruction.opcode & ~instruction.format.mask, instruction.name
    for one in INSTRUCTIONS:
        for other in INSTRUCTIONS:
            both = one.format.mask & other.format.mask
            assert one is other or (one.opcode ^ other.opcode) & both, f"{one.name} and {other.name}"


@pytest.mark.parametrize("name", ["minimal", *LOONG.linux()])
def test_every_instruction_of_a_base(name: str) -> None:
    """All that LLVM lists of its code is known, but for the zeros between functions."""
    code = LOONG.vdso(name).read_bytes()
    found = words.listed("-d", str(LOONG.vdso(name)))
    assert 4 * len(found) >= sum(symbol.size for symbol in read_vdso(name, code, LOONG.arch).exports.values())
    for address, llvms in found:
        [(_, _, line)] = text(code, address, address + 4)
        assert line == llvms or (line, llvms) == (f"{NO_WORD} 0x00000000", "<unknown>"), f"{address:#x}"


def test_what_is_no_whole_word_is_unknown() -> None:
    nop = words.code([0x03400000])
    assert decode(nop * 2, 4) is not None
    assert decode(nop * 2, 2) is None  # no instruction begins there
    assert decode(nop[:3], 0) is None
    assert decode(nop, 4) is None
    assert list(text(nop * 2, 4, 7)) == [(4, 3, ".word 0x00400000")]


def test_what_no_vdso_holds_is_unknown() -> None:
    """What only a kernel may execute, floating point, vectors."""
    given = ("csrrd $a0, 0", "ertn", "idle 0", "iocsrrd.w $a0, $a0", "fadd.d $fa0, $fa0, $fa0", "vld $vr0, $a0, 0")
    assemble = ["llvm-mc-19", "--triple=loongarch64", "--mattr=+d,+lsx", "--filetype=obj", "-o", "-"]
    made = subprocess.run(assemble, input="\n".join(given).encode(), check=True, capture_output=True).stdout
    take = ["llvm-objcopy-19", "-O", "binary", "-j", ".text", "-", "-"]
    code = subprocess.run(take, input=made, check=True, capture_output=True).stdout
    assert len(code) == 4 * len(given)
    assert [decode(code, at) for at in range(0, len(code), 4)] == [None] * len(given)


def test_fields_whose_ends_are_in_the_wrong_order_are_unknown(tmp_path: Path) -> None:
    """LLVM has a text for them; a machine may raise an exception, or do anything."""
    given = [
        0x00600000 | 5 << 16 | 20 << 10,
        0x00608000 | 5 << 16 | 20 << 10,
        0x00800000 | 5 << 16 | 20 << 10,
        0x00C00000 | 1 << 10,
    ]
    names = [line.partition(" ")[0] for line in words.of_llvm(given, tmp_path)]
    assert names == ["bstrins.w", "bstrpick.w", "bstrins.d", "bstrpick.d"]
    assert [decode(words.code([word]), 0) for word in given] == [None] * 4
    assert all(line.startswith(NO_WORD) for line in ours(words.code(given)))
