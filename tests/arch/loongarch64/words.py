# SPDX-License-Identifier: MIT
"""Instruction words of every format that the decoder claims, and what LLVM calls a word."""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from vdso.arch.loongarch64.decode import INSTRUCTIONS, Instruction, Word

ALL = (1 << 32) - 1


def of(instruction: Instruction, rng: random.Random, many: int) -> list[int]:
    """Return words of one instruction: its operands all zeros, all ones, each single bit, and `many` by chance."""
    free = ALL & ~instruction.format.mask
    found = [instruction.opcode, instruction.opcode | free]
    found += [instruction.opcode | 1 << bit for bit in range(32) if free >> bit & 1]
    found += [instruction.opcode | rng.getrandbits(32) & free for _ in range(many)]
    return [word for word in found if instruction.format.defined(Word(word, 0))]


def beside(instruction: Instruction, rng: random.Random) -> Iterator[int]:
    """Yield words whose opcode differs from that of `instruction` in one bit."""
    mask = instruction.format.mask
    yield from (instruction.opcode ^ 1 << bit | rng.getrandbits(32) & ALL & ~mask for bit in range(32) if mask >> bit & 1)


def every(rng: random.Random, many: int) -> list[int]:
    """Return words of all instructions."""
    return [word for instruction in INSTRUCTIONS for word in of(instruction, rng, many)]


def code(words: Sequence[int]) -> bytes:
    return b"".join(word.to_bytes(4, "little") for word in words)


def of_llvm(words: Sequence[int], folder: Path) -> list[str]:
    """Return the text of llvm-objdump for each word."""
    plain, made = folder / "words.bin", folder / "words.o"
    plain.write_bytes(code(words))
    subprocess.run(["llvm-objcopy-19", "-I", "binary", "-O", "elf64-loongarch", plain, made], check=True)
    # -z: it would leave out long runs of zeros
    return [text for _, text in listed("-D", "-z", "-j", ".data", str(made))]


def listed(*arguments: str) -> list[tuple[int, str]]:
    """Return address and text of each instruction that llvm-objdump lists."""
    shown = subprocess.run(
        ["llvm-objdump-19", "--no-show-raw-insn", "--no-print-imm-hex", "--triple=loongarch64", *arguments],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found = []
    for address, text in re.findall(r"^ *([0-9a-f]+): *\t(.*)$", shown, re.MULTILINE):
        words = re.sub(r" <.*>$", "", text)  # the symbol that a branch leads to
        found.append((int(address, 16), " ".join(words.replace("\t", " ").split())))
    return found
