# SPDX-License-Identifier: MIT
"""Single instructions in QEMU, each with registers and memory of its own: what they were before and after.

One program runs all of them. Around each instruction it loads the registers from a table and stores them into another one,
through r21, which no case names; then it stores the word of memory where the instruction is said to have looked, and puts the
memory back.
"""

from __future__ import annotations

import random
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vdso.arch.effects import Memory
from vdso.arch.loongarch64.decode import NAMES

ANCHOR = NAMES.index("r21")
CODE, DATA = 0x2000000, 0x4000000
BUFFER = 1 << 17
MIDDLE = DATA + BUFFER // 2
SHIFT = 10  # the room of one case's code
FIRST = 0xA0  # behind what loads the registers


@dataclass(frozen=True)
class Case:
    """`word` at address `at`, registers by number before it, and the address that it is said to use (0: none)."""

    word: int
    at: int
    registers: tuple[int, ...]
    address: int


@dataclass(frozen=True)
class After:
    """The registers after the instruction, and 8 bytes at the address of its case."""

    registers: tuple[int, ...]
    memory: bytes


def place(index: int) -> int:
    """Return the address of the instruction of case `index`."""
    return CODE + (index << SHIFT) + FIRST


def address_of(effect: Memory, registers: Sequence[int]) -> int:
    """Return the address that an access is said to use."""
    index = registers[NAMES.index(effect.index)] if effect.index else 0
    return registers[NAMES.index(effect.base)] + index + effect.offset & (1 << 64) - 1


def contents(seed: int) -> bytes:
    return random.Random(seed).randbytes(BUFFER)


def run(cases: Sequence[Case], buffer: bytes, folder: Path) -> list[After]:
    """Run each case and return what is then in registers and memory."""
    source, program = folder / "cases.s", folder / "cases"
    (folder / "buffer.bin").write_bytes(buffer)
    (folder / "before.bin").write_bytes(b"".join(struct.pack("<32Q", *case.registers) for case in cases))
    source.write_text(_source(cases, folder))
    made = folder / "cases.o"
    subprocess.run(["clang-19", "--target=loongarch64-unknown-none", "-c", "-o", made, source], check=True)
    layout = [f"--section-start=.cases={CODE:#x}", f"--section-start=.buffer={DATA:#x}"]
    subprocess.run(["ld.lld-19", "--no-relax", *layout, "-o", program, made], check=True)
    done = subprocess.run(["qemu-loongarch64", program], check=True, capture_output=True, timeout=600)
    assert len(done.stdout) == len(cases) * 264
    return [
        After(struct.unpack_from("<32Q", done.stdout, at), done.stdout[at + 256 : at + 264])
        for at in range(0, len(done.stdout), 264)
    ]


def _source(cases: Sequence[Case], folder: Path) -> str:
    lines = ['.section .cases, "ax"', ".globl _start", "_start:"]
    others = [number for number in range(1, 32) if number != ANCHOR]
    for index, case in enumerate(cases):
        lines += [f".org {index << SHIFT:#x}", f"la.pcrel $r21, before + {256 * index}"]
        lines += [f"ld.d $r{number}, $r21, {8 * number}" for number in others]
        lines += ["b 1f", f".org {case.at - CODE:#x}", "1:", f".word {case.word:#x}", f"la.pcrel $r21, after + {264 * index}"]
        lines += [f"st.d $r{number}, $r21, {8 * number}" for number in range(32)]
        if case.address:
            lines += [f"li.d $t0, {case.address & ~7:#x}", "ld.d $t1, $t0, 0", "ld.d $t2, $t0, 8"]
            lines += [f"li.d $t3, {case.address:#x}", "ld.d $t4, $t3, 0", "st.d $t4, $r21, 256"]
            lines += [f"la.pcrel $t5, pristine + {(case.address & ~7) - DATA}", "ld.d $t6, $t5, 0", "st.d $t6, $t0, 0"]
            lines += ["ld.d $t6, $t5, 8", "st.d $t6, $t0, 8"]
        lines += [f"b case{index + 1}", f".org {(index + 1 << SHIFT) - 4:#x}", f"case{index + 1}:", "nop"]
    lines += ["li.w $a0, 1", "la.pcrel $a1, after", f"li.d $a2, {264 * len(cases)}", "li.w $a7, 64", "syscall 0"]
    lines += ["li.w $a0, 0", "li.w $a7, 93", "syscall 0"]
    lines += [".data", ".balign 8", "before:", f'.incbin "{folder}/before.bin"', "pristine:", f'.incbin "{folder}/buffer.bin"']
    lines += [".bss", ".balign 8", "after:", f".skip {264 * len(cases)}"]
    lines += ['.section .buffer, "aw"', f'.incbin "{folder}/buffer.bin"']
    return "\n".join(lines) + "\n"
