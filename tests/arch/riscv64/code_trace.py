# SPDX-License-Identifier: MIT
"""Runs riscv64 functions in Unicorn and records every instruction that they execute, with what it did to memory.

One hart, in program order: which instructions, which addresses, which values stored. In which order other harts see it
is for `rvwmo` to say. The counter and, where wanted, the values that loads return are the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import unicorn
from arch.riscv64.machine import ECALL, RDTIME, RDTIME_MASK
from unicorn import riscv_const as regs
from vdso.arch.effects import Effect, Memory
from vdso.arch.riscv64 import decode

PAGE = 0x1000
BUFFER, STACK, RETURN = 0x2000_0000, 0x7000_0000, 0x1000_0000
LIMIT = 100_000  # instructions; more is a loop


@dataclass(frozen=True)
class Step:
    """One executed instruction. address, size, value: of its access to memory; value is what it loads or else stores.

    sampled     by which letter fences name the load, if it is one of the counter
    """

    at: int
    word: int
    effect: Effect
    address: int = 0
    size: int = 0
    value: int = 0
    sampled: str = ""

    @property
    def samples(self) -> bool:
        """Tell whether the step reads the counter."""
        return bool(self.sampled) or self.word & RDTIME_MASK == RDTIME

    @property
    def loads(self) -> bool:
        return isinstance(self.effect, Memory) and bool(self.effect.results)

    @property
    def stores(self) -> bool:
        return isinstance(self.effect, Memory) and self.effect.stores

    @property
    def accesses(self) -> bool:
        return self.samples or isinstance(self.effect, Memory)


@dataclass(frozen=True)
class Run:
    steps: tuple[Step, ...]
    a0: int
    asked: bool  # did it make a system call
    answer: tuple[int, int]  # the first two words of the buffer


def register(name: str) -> int:
    number: int = getattr(regs, f"UC_RISCV_REG_{name.upper()}")
    return number


@dataclass
class Tracer:
    """`image` lies at address 0; `data` is the address of the data page, writable: the kernel's side runs here too.

    counter_at      the address of the counter, where it is a word of a page
    counter_letter  by which letter fences name a load of it
    """

    image: bytes
    data: int
    counter_at: int = -1
    counter_letter: str = "i"
    _decoded: dict[int, tuple[int, Effect]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._engine = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV64)
        self._engine.mem_map(0, -(-len(self.image) // PAGE) * PAGE, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
        self._engine.mem_write(0, self.image)
        for at in (self.data, BUFFER, STACK, RETURN, *([self.counter_at & -PAGE] if self.counter_at >= 0 else [])):
            self._engine.mem_map(at, PAGE)
        self._engine.hook_add(unicorn.UC_HOOK_CODE, self._step, begin=0, end=len(self.image) - 1)

    @property
    def page(self) -> bytes:
        return bytes(self._engine.mem_read(self.data, PAGE))

    @page.setter
    def page(self, content: bytes) -> None:
        self._engine.mem_write(self.data, content)

    def run(
        self,
        function: int,
        registers: Mapping[str, int],
        counter: Callable[[int], int] = lambda _: 0,
        loads: Mapping[int, int] | None = None,
        buffer: int = BUFFER,
    ) -> Run:
        """Run the function. counter(k) is the k-th time that is read; `loads`: number of an access to its value.

        A load that `loads` does not have reads memory. The function leaves its answer in `buffer`.
        """
        self._steps: list[Step] = []
        self._accesses, self._counts, self._asked = 0, 0, False
        self._counter, self._loads = counter, loads or {}
        self._engine.mem_write(buffer, bytes(16))
        for name, value in {"ra": RETURN, "sp": STACK + PAGE - 64, **registers}.items():
            self._engine.reg_write(register(name), value & (1 << 64) - 1)
        self._engine.emu_start(function, RETURN)
        words = bytes(self._engine.mem_read(buffer, 16))
        answer = tuple(int.from_bytes(words[i : i + 8], "little", signed=True) for i in (0, 8))
        return Run(tuple(self._steps), self._engine.reg_read(register("a0")), self._asked, (answer[0], answer[1]))

    def _step(self, engine: unicorn.Uc, pc: int, size: int, _: Any) -> None:
        word = int.from_bytes(self.image[pc : pc + size], "little")
        if pc not in self._decoded:
            decoded = decode.decode(self.image[pc : pc + 4].ljust(4, b"\0"), 0)
            assert decoded is not None, f"{pc:#x}: {word:#x} is no instruction that capstone knows"
            self._decoded[pc] = decoded
        _, effect = self._decoded[pc]
        step = Step(pc, word, effect)
        if isinstance(effect, Memory):
            step = self._access(step, effect)
        elif step.samples:
            engine.reg_write(regs.UC_RISCV_REG_X0 + (word >> 7 & 31), self._counter(self._counts))
            engine.reg_write(regs.UC_RISCV_REG_PC, pc + 4)
            self._counts += 1
            self._accesses += 1
        elif word == ECALL:
            self._asked = True
            engine.reg_write(regs.UC_RISCV_REG_PC, pc + 4)
        self._steps.append(step)
        assert len(self._steps) <= LIMIT, f"still running after {LIMIT} instructions"

    def _access(self, step: Step, effect: Memory) -> Step:
        address = (self._engine.reg_read(register(effect.base)) + effect.offset) & (1 << 64) - 1
        size = width(step.word)
        if address == self.counter_at:
            assert (size, effect.stores) == (8, False)
            self._engine.mem_write(address, self._counter(self._counts).to_bytes(size, "little"))
            self._counts += 1
            self._accesses += 1
            return replace(step, address=address, size=size, sampled=self.counter_letter)
        if self._accesses in self._loads:
            self._engine.mem_write(address, self._loads[self._accesses].to_bytes(size, "little"))
        self._accesses += 1
        if not effect.stores:
            value = int.from_bytes(self._engine.mem_read(address, size), "little")
        elif effect.uses == ("zero",):
            value = 0
        else:
            (source,) = effect.uses
            value = self._engine.reg_read(register(source)) & (1 << 8 * size) - 1
        return Step(step.at, step.word, step.effect, address, size, value)


def width(word: int) -> int:
    """Return how many bytes a load or store accesses: funct3 says it in a full instruction as in a compressed one."""
    if word & 3 == 3:
        return 1 << (word >> 12 & 3)
    return 8 if word >> 13 & 3 == 3 else 4  # c.ld, c.sd, c.ldsp, c.sdsp; c.lw, c.sw, c.lwsp, c.swsp
