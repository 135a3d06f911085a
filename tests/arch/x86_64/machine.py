# SPDX-License-Identifier: MIT
"""The test machine of x86-64: one CPU, in Unicorn, whose counter and system calls are the test's."""

from __future__ import annotations

from collections.abc import Sequence

import unicorn
from one_cpu import RETURN, InProcess
from unicorn import x86_const as regs

RDTSC, RDTSCP, SYSCALL = b"\x0f\x31", b"\x0f\x01\xf9", b"\x0f\x05"
ARGUMENTS = tuple(getattr(regs, f"UC_X86_REG_{name}") for name in ("RDI", "RSI", "RDX", "RCX", "R8", "R9"))
OF_CALLS = tuple(getattr(regs, f"UC_X86_REG_{name}") for name in ("RDI", "RSI", "RDX", "R10", "R8", "R9"))
STRAY = 0xDEAD_DEAD_DEAD_DEAD
"""What a system call leaves in the registers that it does not keep."""


class Machine(InProcess):
    """A CPU. Its calling convention is that of the System V ABI, in which six arguments are in registers."""

    saved = tuple(getattr(regs, f"UC_X86_REG_{name}") for name in ("RSP", "RBX", "RBP", "R12", "R13", "R14", "R15"))

    def make_engine(self) -> unicorn.Uc:
        return unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)

    def enter(self, arguments: Sequence[int]) -> None:
        """Put the return address on the stack: a return gives the stack pointer the value that it has now."""
        stack = self._engine.reg_read(regs.UC_X86_REG_RSP) - 8
        self._engine.mem_write(stack, RETURN.to_bytes(8, "little"))
        self._engine.reg_write(regs.UC_X86_REG_RSP, stack)
        for register, value in zip(ARGUMENTS, arguments, strict=False):
            self._engine.reg_write(register, value)

    def value(self) -> int:
        value: int = self._engine.reg_read(regs.UC_X86_REG_RAX)
        return value

    def play(self, pc: int, code: bytes) -> None:
        if code in (RDTSC, RDTSCP):
            counter = self.read_counter()
            self._engine.reg_write(regs.UC_X86_REG_RAX, counter & 0xFFFFFFFF)
            self._engine.reg_write(regs.UC_X86_REG_RDX, counter >> 32)
            self._engine.reg_write(regs.UC_X86_REG_RIP, pc + len(code))
        elif code == SYSCALL:
            arguments = [self._engine.reg_read(register) for register in OF_CALLS]
            answer = self.system_call(self._engine.reg_read(regs.UC_X86_REG_RAX), arguments)
            self._engine.reg_write(regs.UC_X86_REG_RAX, answer)
            self._engine.reg_write(regs.UC_X86_REG_RCX, STRAY)
            self._engine.reg_write(regs.UC_X86_REG_R11, STRAY)
            self._engine.reg_write(regs.UC_X86_REG_RIP, pc + len(code))
