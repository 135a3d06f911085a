# SPDX-License-Identifier: MIT
"""How herd7 writes the instructions of AArch64."""

from __future__ import annotations

from arch.riscv64.rvwmo import Fence
from memory_order.one_update import ALL, MEMORY

FENCES = {
    Fence(frozenset("r"), ALL): ["CBNZ X0,L0", "L0: ISB"],  # the first load of a reader is that of the state
    Fence(frozenset("r"), MEMORY): ["DMB LD"],
    Fence(MEMORY, MEMORY): ["DMB SY"],
    Fence(ALL, ALL): ["DSB SY", "ISB"],
}


class AArch64:
    """A dialect of memory_order/herd.py."""

    name = "AArch64"

    def initial(self, program: int, word: int) -> str:
        return f"{program}:X{20 + word}=w{word};"

    def register(self, load: int) -> str:
        return f"X{load}"

    def load(self, load: int, word: int, depends: int | None) -> list[str]:
        if depends is None:
            return [f"LDR X{load},[X{20 + word}]"]
        return [f"EOR X19,X{depends},X{depends}", f"LDR X{load},[X{20 + word},X19]"]

    def store(self, word: int, value: int) -> list[str]:
        return [f"MOV X19,#{value}", f"STR X19,[X{20 + word}]"]

    def fence(self, fence: Fence) -> list[str]:
        return FENCES[fence]
