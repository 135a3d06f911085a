# SPDX-License-Identifier: MIT
"""Runs riscv64 vDSO code in process, an instruction at a time: a machine of one hart, with a counter and system calls.

It takes an image as it is mapped (bytes from the load address on), so it runs single stubs and finished images, ours and
Linux's. The engine is made once and used for many calls. Unicorn has no `rdtime` and stops at `ecall`: both are played
here. Memory that a kernel would not have mapped is not there: code that reaches for it fails (`unicorn.UcError`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import unicorn
from unicorn import riscv_const as regs

LOAD = 0x3_0000_0000
PAGE = 0x1000
RETURN = 0x1000_0000  # where the call returns to
BUFFER = 0x2000_0000  # what pointer arguments point to
STACK = 0x7000_0000
LIMIT = 1000  # instructions; more is a loop
RDTIME_MASK, RDTIME = 0xFFFFF07F, 0xC0102073
ECALL = 0x00000073
# The calling convention's: what a function must leave as it was.
SAVED = tuple(getattr(regs, f"UC_RISCV_REG_{name}") for name in ["SP", "GP", "TP", *(f"S{i}" for i in range(12))])


@dataclass(frozen=True)
class Result:
    """One call. `syscalls` are (number, a0 to a5); `memory` is the buffer's page after it."""

    value: int
    instructions: int
    syscalls: tuple[tuple[int, tuple[int, ...]], ...]
    memory: bytes

    def words(self, count: int = 2) -> tuple[int, ...]:
        """Return the first signed 64-bit words of the buffer."""
        return tuple(int.from_bytes(self.memory[8 * i : 8 * i + 8], "little", signed=True) for i in range(count))


class Machine:
    def __init__(self, image: bytes, data_offset: int | None = None, load: int = LOAD) -> None:
        """Load the image. `data_offset`: of the data page from the load address; None: there is no data page."""
        self._engine = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV64)
        self._load = load
        self._data = None if data_offset is None else load + data_offset
        size = -(-len(image) // PAGE) * PAGE
        self._engine.mem_map(load, size, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
        self._engine.mem_write(load, image)
        if self._data is not None:
            self._engine.mem_map(self._data, PAGE, unicorn.UC_PROT_READ)
        self._engine.mem_map(RETURN, PAGE, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
        self._engine.mem_map(BUFFER, PAGE)
        self._engine.mem_map(STACK, PAGE)
        self._engine.hook_add(unicorn.UC_HOOK_CODE, self._step, begin=load, end=load + size - 1)
        self._engine.hook_add(unicorn.UC_HOOK_MEM_READ, self._loads, begin=self._data or 0, end=(self._data or 0) + PAGE - 1)

    def set_page(self, page: bytes) -> None:
        assert self._data is not None
        self._engine.mem_write(self._data, page)

    def call(
        self,
        address: int,
        *arguments: int,
        counter: int = 0,
        answer: int = 0,
        before_load: Callable[[int], bytes | None] | None = None,
    ) -> Result:
        """Call the function at `address` (an offset in the image). `answer` is the answer of a system call.

        before_load(k) is asked before the k-th load from the data page, and may give the page new content.
        """
        self._count, self._syscalls, self._loaded = 0, [], 0
        self._counter, self._answer, self._before_load = counter, answer, before_load
        saved = [0x5AFE_0000 + i for i in range(len(SAVED))]
        saved[0] = STACK + PAGE - 64
        for register, value in zip(SAVED, saved, strict=True):
            self._engine.reg_write(register, value)
        self._engine.reg_write(regs.UC_RISCV_REG_RA, RETURN)
        for i in range(8):
            value = arguments[i] if i < len(arguments) else 0xDEAD_0000 + i
            self._engine.reg_write(regs.UC_RISCV_REG_A0 + i, value & (1 << 64) - 1)
        self._engine.mem_write(BUFFER, b"\xa5" * PAGE)
        self._engine.emu_start(self._load + address, RETURN)
        assert [self._engine.reg_read(r) for r in SAVED] == saved, "a register that the caller owns was changed"
        value = self._engine.reg_read(regs.UC_RISCV_REG_A0)
        value -= (value >> 63) << 64
        return Result(value, self._count, tuple(self._syscalls), bytes(self._engine.mem_read(BUFFER, PAGE)))

    def _step(self, engine: unicorn.Uc, pc: int, size: int, _: Any) -> None:
        self._count += 1
        assert self._count <= LIMIT, f"still running after {LIMIT} instructions"
        word = int.from_bytes(engine.mem_read(pc, size), "little")
        if word & RDTIME_MASK == RDTIME:
            register = word >> 7 & 31
            if register:
                engine.reg_write(regs.UC_RISCV_REG_X0 + register, self._counter)
            engine.reg_write(regs.UC_RISCV_REG_PC, pc + 4)
        elif word == ECALL:
            call = tuple(engine.reg_read(regs.UC_RISCV_REG_A0 + i) for i in range(6))
            self._syscalls.append((engine.reg_read(regs.UC_RISCV_REG_A7), call))
            engine.reg_write(regs.UC_RISCV_REG_A0, self._answer & (1 << 64) - 1)
            engine.reg_write(regs.UC_RISCV_REG_PC, pc + 4)

    def _loads(self, engine: unicorn.Uc, _access: int, _address: int, _size: int, _value: int, _data: Any) -> None:
        if self._before_load is not None and self._data is not None:
            page = self._before_load(self._loaded)
            self._loaded += 1
            if page is not None:
                engine.mem_write(self._data, page)
