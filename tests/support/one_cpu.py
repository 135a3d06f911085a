# SPDX-License-Identifier: MIT
"""A test machine of one CPU: it runs vDSO code as a program would call it, with a counter, system calls and a data page.

It takes an image as it is mapped (bytes from the load address on), so it runs single stubs and finished images, ours and
Linux's. Memory that a kernel would not have mapped is not there: code that reaches for it fails. The folder of
an architecture in tests/arch has its machine.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import unicorn
from host_page import HostPage

LOAD = 0x3_0000_0000
PAGE = 0x1000
RETURN = 0x1000_0000  # where the call returns to
BUFFER = 0x2000_0000  # what pointer arguments point to
STACK = 0x7000_0000
LIMIT = 1000  # instructions; more is a loop
MASK = (1 << 64) - 1


class Stopped(Exception):
    """The code can't go on: it reached for memory that is not there or not for it, or it is no instruction."""


class CounterTrap(Exception):
    """The code has read the counter on a machine where a program may not: it would die of that."""


@dataclass(frozen=True)
class Result:
    """One call. `syscalls` are (number, its six arguments); `memory` is the buffer's page after it."""

    value: int
    instructions: int
    syscalls: tuple[tuple[int, tuple[int, ...]], ...]
    memory: bytes

    def words(self, count: int = 2) -> tuple[int, ...]:
        """Return the first signed 64-bit words of the buffer."""
        return tuple(int.from_bytes(self.memory[8 * i : 8 * i + 8], "little", signed=True) for i in range(count))


class OneCpu(ABC):
    """The machine, with an image in it."""

    @abstractmethod
    def __init__(
        self, image: bytes, data_offset: int | None = None, load: int = LOAD, counter_offset: int | None = None
    ) -> None:
        """Load the image. Offsets are from the load address.

        data_offset     of the data page; None: there is no data page
        counter_offset  of the counter, a word of a page of its own; None: an instruction reads it
        """

    @abstractmethod
    def set_page(self, page: bytes) -> None:
        """Set the content of the data page."""

    @abstractmethod
    def call(
        self,
        address: int,
        *arguments: int,
        counter: int | None = 0,
        answer: int = 0,
        before_load: Callable[[int], bytes | None] | None = None,
    ) -> Result:
        """Call the function at `address` (an offset in the image). `answer` is the answer of a system call.

        CounterTrap if it reads the counter and `counter` is None; Stopped if it can't go on.
        before_load(k) is asked before the k-th load from the data page, and may give the page new content.
        """


class InProcess(OneCpu):
    """A machine in this process, by Unicorn, whose engine is made once and used for many calls.

    saved       Unicorn's numbers of the registers that a function must leave as they were, the stack pointer first
    """

    saved: tuple[int, ...]

    @abstractmethod
    def make_engine(self) -> unicorn.Uc:
        """Return an engine of the architecture."""

    @abstractmethod
    def enter(self, arguments: Sequence[int]) -> None:
        """Set the registers of the arguments, eight of them at least, and the return to RETURN."""

    @abstractmethod
    def value(self) -> int:
        """Return what the function has returned, as an unsigned number."""

    @abstractmethod
    def play(self, pc: int, code: bytes) -> None:
        """Execute an instruction that Unicorn has not: a read of the counter, or a system call. All others are left to it."""

    def __init__(
        self, image: bytes, data_offset: int | None = None, load: int = LOAD, counter_offset: int | None = None
    ) -> None:
        self._engine = self.make_engine()
        self._load = load
        self._data = None if data_offset is None else load + data_offset
        size = -(-len(image) // PAGE) * PAGE
        self._engine.mem_map(load, size, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
        self._engine.mem_write(load, image)
        if self._data is not None:
            self._data_page = HostPage(self._engine, self._data, unicorn.UC_PROT_READ)
        self._counter_at = -1 if counter_offset is None else load + counter_offset
        if counter_offset is not None:
            page = self._counter_at & -PAGE
            self._counter_page = HostPage(self._engine, page, unicorn.UC_PROT_READ)
            self._engine.hook_add(unicorn.UC_HOOK_MEM_READ, self._device, begin=page, end=page + PAGE - 1)
        self._engine.mem_map(RETURN, PAGE, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
        self._engine.mem_map(BUFFER, PAGE)
        self._engine.mem_map(STACK, PAGE)
        self._engine.hook_add(unicorn.UC_HOOK_CODE, self._step, begin=load, end=load + size - 1)
        self._engine.hook_add(unicorn.UC_HOOK_MEM_READ, self._loads, begin=self._data or 0, end=(self._data or 0) + PAGE - 1)

    def set_page(self, page: bytes) -> None:
        assert self._data is not None
        self._data_page.write(page)

    def call(
        self,
        address: int,
        *arguments: int,
        counter: int | None = 0,
        answer: int = 0,
        before_load: Callable[[int], bytes | None] | None = None,
    ) -> Result:
        self._count, self._loaded = 0, 0
        self._syscalls: list[tuple[int, tuple[int, ...]]] = []
        self._counter, self._answer, self._before_load = counter, answer, before_load
        saved = [STACK + PAGE - 64, *(0x5AFE_0000 + i for i in range(1, len(self.saved)))]
        for register, value in zip(self.saved, saved, strict=True):
            self._engine.reg_write(register, value)
        given = [*arguments, *(0xDEAD_0000 + i for i in range(len(arguments), 8))]
        self.enter([value & MASK for value in given])
        self._engine.mem_write(BUFFER, b"\xa5" * PAGE)
        try:
            self._engine.emu_start(self._load + address, RETURN)
        except unicorn.UcError as error:
            raise Stopped(str(error)) from error
        assert [self._engine.reg_read(r) for r in self.saved] == saved, "a register that the caller owns was changed"
        value = self.value()
        return Result(
            value - (value >> 63 << 64), self._count, tuple(self._syscalls), bytes(self._engine.mem_read(BUFFER, PAGE))
        )

    def read_counter(self) -> int:
        """Return what the counter shows. CounterTrap where nobody may read it."""
        if self._counter is None:
            raise CounterTrap
        return self._counter

    def system_call(self, number: int, arguments: Sequence[int]) -> int:
        """Note a system call, and return its answer."""
        self._syscalls.append((number, tuple(arguments)))
        return self._answer & MASK

    def _step(self, engine: unicorn.Uc, pc: int, size: int, _: Any) -> None:
        self._count += 1
        assert self._count <= LIMIT, f"still running after {LIMIT} instructions"
        self.play(pc, bytes(engine.mem_read(pc, size)))

    def _device(self, _engine: unicorn.Uc, _access: int, address: int, size: int, _value: int, _data: Any) -> None:
        assert (address, size) == (self._counter_at, 8), "of the counter's page only the counter is read, as a whole"
        self._counter_page.write(self.read_counter().to_bytes(8, "little"), address % PAGE)

    def _loads(self, _engine: unicorn.Uc, _access: int, _address: int, _size: int, _value: int, _data: Any) -> None:
        if self._before_load is not None and self._data is not None:
            page = self._before_load(self._loaded)
            self._loaded += 1
            if page is not None:
                self._data_page.write(page)
