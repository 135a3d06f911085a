# SPDX-License-Identifier: MIT
"""The test machine of RISC-V: one hart, in Unicorn, which has no `rdtime` and stops at `ecall`."""

from __future__ import annotations

from collections.abc import Sequence

import unicorn
from one_cpu import RETURN, InProcess
from unicorn import riscv_const as regs

RDTIME_MASK, RDTIME = 0xFFFFF07F, 0xC0102073
ECALL = 0x00000073


class Machine(InProcess):
    """A hart. Its calling convention is that of the RISC-V psABI."""

    saved = tuple(getattr(regs, f"UC_RISCV_REG_{name}") for name in ["SP", "GP", "TP", *(f"S{i}" for i in range(12))])

    def make_engine(self) -> unicorn.Uc:
        return unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV64)

    def enter(self, arguments: Sequence[int]) -> None:
        self._engine.reg_write(regs.UC_RISCV_REG_RA, RETURN)
        for i, value in enumerate(arguments[:8]):
            self._engine.reg_write(regs.UC_RISCV_REG_A0 + i, value)

    def value(self) -> int:
        value: int = self._engine.reg_read(regs.UC_RISCV_REG_A0)
        return value

    def play(self, pc: int, code: bytes) -> None:
        word = int.from_bytes(code, "little")
        if word & RDTIME_MASK == RDTIME:
            register = word >> 7 & 31
            if register:
                self._engine.reg_write(regs.UC_RISCV_REG_X0 + register, self.read_counter())
            self._engine.reg_write(regs.UC_RISCV_REG_PC, pc + 4)
        elif word == ECALL:
            arguments = [self._engine.reg_read(regs.UC_RISCV_REG_A0 + i) for i in range(6)]
            answer = self.system_call(self._engine.reg_read(regs.UC_RISCV_REG_A7), arguments)
            self._engine.reg_write(regs.UC_RISCV_REG_A0, answer)
            self._engine.reg_write(regs.UC_RISCV_REG_PC, pc + 4)
