# SPDX-License-Identifier: MIT
"""How herd7 writes the instructions of x86-64. Its model is x86-TSO, which keeps loads in order by themselves."""

from __future__ import annotations

from arch.riscv64.rvwmo import Fence
from memory_order.one_update import ALL, MEMORY

REGISTERS = ("EAX", "EBX", "ECX", "EDX", "ESI", "EDI", "EBP")
FENCES = {
    Fence(frozenset("ri"), ALL): ["LFENCE"],
    Fence(MEMORY, MEMORY): ["MFENCE"],
    Fence(ALL, ALL): ["MFENCE", "LFENCE"],
}


class X86:
    """A dialect of memory_order/herd.py."""

    name = "X86"

    def initial(self, _program: int, _word: int) -> str:
        return ""

    def register(self, load: int) -> str:
        return REGISTERS[load]

    def load(self, load: int, word: int, _depends: int | None) -> list[str]:
        return [f"MOV {REGISTERS[load]},[w{word}]"]

    def store(self, word: int, value: int) -> list[str]:
        return [f"MOV [w{word}],${value}"]

    def fence(self, fence: Fence) -> list[str]:
        return FENCES[fence]
