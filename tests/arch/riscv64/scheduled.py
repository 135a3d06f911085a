# SPDX-License-Identifier: MIT
"""Cycles of a call by the scheduling models of LLVM (llvm-mca), which makers of cores have contributed to it.

A model knows latencies and execution units. It knows neither fences nor reads of the counter, which are left out; nor
caches, branches that are predicted wrongly, or how code is fetched. So it tells what the arithmetic costs.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence

import capstone
from arch.riscv64.machine import Machine

CORES = {
    "Rocket": "rocket-rv64",
    "SiFive U74": "sifive-u74",
    "SiFive P450": "sifive-p450",
    "SiFive P670": "sifive-p670",
    "XiangShan Nanhu": "xiangshan-nanhu",
}
"""Name of a core to what LLVM calls it."""
VERSIONS = range(40, 15, -1)
TIMES = 100  # calls that follow each other
EXTENSIONS = "+m,+a,+c,+zba,+zbb,+zbs"
NOT_MODELLED = ("fence", "rdtime", "csrr", "csrrs")


class TracingMachine(Machine):
    """A machine that remembers the code of all that it executes."""

    def __init__(self, image: bytes, data_offset: int | None) -> None:
        super().__init__(image, data_offset)
        self.executed: list[tuple[int, bytes]] = []

    def play(self, pc: int, code: bytes) -> None:
        self.executed.append((pc, code))
        super().play(pc, code)


def assembly(executed: Sequence[tuple[int, bytes]]) -> str:
    """Return the executed instructions as a block of assembly, without those that no model knows."""
    engine = capstone.Cs(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV64 | capstone.CS_MODE_RISCVC)
    lines = []
    for pc, code in executed:
        instruction = next(engine.disasm(code, pc))
        if instruction.mnemonic not in NOT_MODELLED:
            lines.append(f"{instruction.mnemonic} {instruction.op_str}".rstrip())
    return "\n".join(lines) + "\n"


def newest() -> str | None:
    """Return the newest llvm-mca on PATH."""
    names = (*(f"llvm-mca-{version}" for version in VERSIONS), "llvm-mca")
    return next((name for name in names if shutil.which(name)), None)


def models(tool: str) -> frozenset[str]:
    """Return what cores the tool knows."""
    command = [tool, "-mtriple=riscv64", "-mcpu=help", "/dev/null"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    return frozenset(re.findall(r"^  (\S+) +- ", shown.stderr, re.M))


def cycles(tool: str, core: str, block: str, times: int) -> int:
    """Return the cycles that `times` of the block take, one after the other."""
    command = [tool, "-mtriple=riscv64", f"-mcpu={core}", f"-mattr={EXTENSIONS}", f"-iterations={times}", "-summary-view"]
    done = subprocess.run(command, input=block, capture_output=True, text=True, check=True)
    found = re.search(r"^Total Cycles: +(\d+)$", done.stdout, re.M)
    assert found, done.stdout + done.stderr
    return int(found[1])
