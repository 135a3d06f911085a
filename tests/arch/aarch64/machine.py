# SPDX-License-Identifier: MIT
"""The test machine of AArch64: one CPU, in Unicorn, whose counter is the host's time and who stops at `svc`."""

from __future__ import annotations

from collections.abc import Sequence

import unicorn
from one_cpu import RETURN, InProcess
from unicorn import arm64_const as regs

READ_COUNTER_MASK, READ_COUNTER = 0xFFFFFFE0, 0xD53BE040  # mrs x, cntvct_el0
SVC = 0xD4000001


class Machine(InProcess):
    """A CPU. Its calling convention is that of the Procedure Call Standard for the Arm 64-bit Architecture."""

    saved = (regs.UC_ARM64_REG_SP, *(getattr(regs, f"UC_ARM64_REG_X{i}") for i in range(18, 30)))

    def make_engine(self) -> unicorn.Uc:
        return unicorn.Uc(unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM)

    def enter(self, arguments: Sequence[int]) -> None:
        self._engine.reg_write(regs.UC_ARM64_REG_X30, RETURN)
        for i, value in enumerate(arguments[:8]):
            self._engine.reg_write(regs.UC_ARM64_REG_X0 + i, value)

    def value(self) -> int:
        value: int = self._engine.reg_read(regs.UC_ARM64_REG_X0)
        return value

    def play(self, pc: int, code: bytes) -> None:
        word = int.from_bytes(code, "little")
        if word & READ_COUNTER_MASK == READ_COUNTER:
            self._engine.reg_write(getattr(regs, f"UC_ARM64_REG_X{word & 31}", regs.UC_ARM64_REG_XZR), self.read_counter())
            self._engine.reg_write(regs.UC_ARM64_REG_PC, pc + 4)
        elif word == SVC:
            arguments = [self._engine.reg_read(regs.UC_ARM64_REG_X0 + i) for i in range(6)]
            answer = self.system_call(self._engine.reg_read(regs.UC_ARM64_REG_X8), arguments)
            self._engine.reg_write(regs.UC_ARM64_REG_X0, answer)
            self._engine.reg_write(regs.UC_ARM64_REG_PC, pc + 4)
