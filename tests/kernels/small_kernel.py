# SPDX-License-Identifier: MIT
"""A kernel in Python for one freestanding program: each thing that a real one may lack or do wrong is in its `Manners`.

The processor is Unicorn's. Time does not pass by itself: each `rdtime` moves the counter on, so a second of the program's is
over soon, and what traps is as dear as the test wants it.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass

import unicorn
from elftools.elf.elffile import ELFFile
from host_page import HostPage
from kernel_side import PAGE, DataPage
from unicorn import riscv_const as regs

HZ = 32768  # so that a second has few ticks
READ, WRITE, EXECUTE = unicorn.UC_PROT_READ, unicorn.UC_PROT_WRITE, unicorn.UC_PROT_EXEC
STACK, STACK_SIZE = 0x7000_0000, 0x10000
TRAMPOLINE = 0x6000_0000
ECHILD, EACCES, EFAULT, EINVAL, ENOSYS = -10, -13, -14, -22, -38
SIGILL, SIGKILL, SIGSEGV, SIGURG = 4, 9, 11, 23
SA_NODEFER = 0x4000_0000
WNOHANG = 1
ILLEGAL, ECALL = 2, 8  # causes of traps (RISC-V privileged ISA)
RDTIME_MASK, RDTIME = 0xFFFFF07F, 0xC0102073
PIPE = (3, 4)  # files to read from and to write to
MASK = (1 << 64) - 1
X = [regs.UC_RISCV_REG_X0 + i for i in range(32)]
PC = regs.UC_RISCV_REG_PC
RA, SP, A0, A1, A2, A7 = X[1], X[2], X[10], X[11], X[12], X[17]
CONTEXT_REGISTERS = 176  # of pc and x1 to x31 in struct ucontext


@dataclass(frozen=True)
class Manners:
    """How the kernel is. As given here it is right, and has signals, child processes and no threads.

    auxv            AT_SYSINFO_EHDR, if not where the image is; 0: none
    load            where the image lies
    image, data     access to image and data page; None: not mapped
    counter         access to the page of the counter, if that is a word of a page; None: not mapped
    pages           of the image that are mapped
    page            what the data page holds, if not its own clock
    unknown         answer to a system call that is not there
    missing         numbers of system calls that are not there
    faults          signals are raised by faults, not by kill alone
    handlers        a signal calls its handler; else it ends the process, whatever rt_sigaction answered
    nodefer         SA_NODEFER is heeded
    left_blocked    signals that rt_sigreturn leaves blocked, a bit each
    endless         a child that faults goes on for ever
    stray           wait4 tells first of this many children that are gone
    copyout         where the kernel writes for the program although that may not: "image", "data page"
    frame           the signal frame is Linux's, and what a handler changes in it counts
    sigreturn       where handlers return to, from the image; None: to a trampoline of the kernel's own
    rdtime          ticks that one takes; None: it is illegal
    trap            ticks that a system call takes
    mprotect        lets the program have what it asks for
    late            ticks by which the kernel's own clock lags behind the page
    """

    auxv: int | None = None
    load: int = 0x3_0000_0000
    image: int | None = READ | EXECUTE
    data: int | None = READ
    counter: int | None = READ
    pages: int | None = None
    page: bytes | None = None
    unknown: int = ENOSYS
    missing: frozenset[int] = frozenset()
    faults: bool = True
    handlers: bool = True
    nodefer: bool = True
    left_blocked: int = 0
    endless: bool = False
    stray: int = 0
    copyout: frozenset[str] = frozenset()
    frame: bool = True
    sigreturn: int | None = 0
    rdtime: int | None = 5
    trap: int = 200
    mprotect: bool = False
    late: int = 0


class BadAddress(Exception):
    """A system call may not write there."""


class Killed(Exception):
    """The process ended: `status` as wait gives it."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Kernel:
    def __init__(
        self, program: bytes, image: bytes, data_offset: int, clock: DataPage, manners: Manners, counter_offset: int = 0
    ) -> None:
        """Load the program. `clock`: of the kernel's system calls, at HZ.

        data_offset, counter_offset     of the data page and of the counter in a page of its own; 0: there is none
        """
        self.output = b""
        self._manners, self._clock, self._counter = manners, clock, 1000 * HZ
        self._image, self._data_offset, self._counter_offset = image, data_offset, counter_offset
        self._engine = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV64)
        self._handlers: dict[int, tuple[int, int]] = {}  # address and flags
        self._mask = 0
        self._frames: list[tuple[int, list[int], int]] = []
        self._children: dict[int, int | None] = {}  # None: it runs on and on
        self._stray = list(range(900, 900 + manners.stray))
        self._pipe = b""
        self._process = 1
        self._trap: tuple[int, int] | None = None
        self._writable: list[tuple[int, int]] = []
        self._calls: dict[int, Callable[[list[int]], int | None]] = {
            59: self._pipe2, 63: self._read, 64: self._write,
            93: self._exit, 94: self._exit, 113: self._gettime, 114: self._getres, 129: self._kill,
            134: self._sigaction, 135: self._sigprocmask, 139: self._sigreturn, 168: self._getcpu, 169: self._gettimeofday,
            172: lambda _: self._process,
            220: self._clone, 226: self._mprotect, 260: self._wait,
        }  # fmt: skip
        self._map_image()
        self._load(program)
        self._engine.hook_add(unicorn.UC_HOOK_INTR, self._trapped)

    def run(self, *arguments: str) -> int:
        """Run the program and return its exit status, 128 + signal if it was killed. `output` is what it wrote."""
        self._build_stack(["program", *arguments])
        try:
            self._go()
        except Killed as end:
            return end.status >> 8 if end.status & 0x7F == 0 else 128 + (end.status & 0x7F)
        raise AssertionError("a program does not return")

    # ---- What is in memory.

    def _map_image(self) -> None:
        manners = self._manners
        size = PAGE * (len(self._image) // PAGE if manners.pages is None else manners.pages)
        # one that does not start at a page lies so all the same
        if manners.image is not None:
            self._engine.mem_map(manners.load & -PAGE, size + (PAGE if manners.load % PAGE else 0), manners.image)
            self._engine.mem_write(manners.load, self._image[:size])
        if self._data_offset and manners.data is not None:
            at = (manners.load + self._data_offset) & -PAGE
            self._engine.mem_map(at, PAGE, manners.data)
            self._engine.mem_write(at, bytes(self._clock) if manners.page is None else manners.page)
        if self._counter_offset and manners.counter is not None:
            at = manners.load + self._counter_offset
            self._device_page = HostPage(self._engine, at & -PAGE, manners.counter)
            self._engine.hook_add(unicorn.UC_HOOK_MEM_READ, self._device, begin=at, end=at + 7)
        self._engine.mem_map(TRAMPOLINE, PAGE, READ | EXECUTE)
        self._engine.mem_write(TRAMPOLINE, struct.pack("<II", 0x08B00893, 0x00000073))  # li a7, 139; ecall

    def _load(self, program: bytes) -> None:
        elf = ELFFile(io.BytesIO(program))
        for segment in elf.iter_segments("PT_LOAD"):
            start = segment["p_vaddr"] & -PAGE
            size = -(-(segment["p_vaddr"] + segment["p_memsz"] - start) // PAGE) * PAGE
            access = sum(bit for flag, bit in ((4, READ), (2, WRITE), (1, EXECUTE)) if segment["p_flags"] & flag)
            self._engine.mem_map(start, size, access)
            self._engine.mem_write(segment["p_vaddr"], segment.data())
            if access & WRITE:
                self._writable.append((start, size))
        self._engine.mem_map(STACK, STACK_SIZE, READ | WRITE)
        self._writable.append((STACK, STACK_SIZE))
        self._entry = elf["e_entry"]

    def _build_stack(self, arguments: list[str]) -> None:
        at, pointers = STACK + STACK_SIZE - 0x1000, []
        for word in arguments:
            self._engine.mem_write(at, word.encode() + b"\0")
            pointers.append(at)
            at += len(word) + 1
        address = self._manners.load if self._manners.auxv is None else self._manners.auxv
        auxv = [6, PAGE, *([33, address] if address else []), 0, 0]
        words = [len(pointers), *pointers, 0, 0, *auxv]
        sp = STACK + STACK_SIZE - 0x2000
        self._engine.mem_write(sp, struct.pack(f"<{len(words)}Q", *words))
        self._engine.reg_write(SP, sp)
        self._engine.reg_write(PC, self._entry)

    # ---- The processor.

    def _go(self) -> None:
        """Run until the process ends, which raises Killed."""
        while True:
            pc = self._engine.reg_read(PC)
            try:
                self._engine.emu_start(pc, 0)
                assert self._trap is not None
                cause, pc = self._trap
                if cause == ECALL:
                    self._system_call()
                else:
                    self._fault(SIGILL, pc)
            except unicorn.UcError as error:
                if error.errno == unicorn.UC_ERR_EXCEPTION:
                    raise
                self._fault(SIGSEGV, self._engine.reg_read(PC))

    def _trapped(self, engine: unicorn.Uc, cause: int, _: object) -> None:
        """Handle a trap. To Unicorn rdtime is illegal, and it adds 4 to the pc before it calls this."""
        pc = engine.reg_read(PC) - 4
        if cause == ILLEGAL and self._manners.rdtime is not None:
            word = int.from_bytes(engine.mem_read(pc, 4), "little")
            if word & RDTIME_MASK == RDTIME:
                self._counter += self._manners.rdtime
                engine.reg_write(X[word >> 7 & 31], self._counter)
                return
        self._trap = cause, pc
        engine.emu_stop()

    def _device(self, _engine: unicorn.Uc, _access: int, address: int, size: int, _value: int, _data: object) -> None:
        """Let the device count, as `rdtime` does."""
        assert size == 8
        self._counter += self._manners.rdtime or 0
        self._device_page.write(self._counter.to_bytes(8, "little"), address % PAGE)

    def _system_call(self) -> None:
        self._counter += self._manners.trap
        number = self._engine.reg_read(A7)
        call = None if number in self._manners.missing else self._calls.get(number)
        arguments = [self._engine.reg_read(register) for register in X[10:16]]
        try:
            answer = self._manners.unknown if call is None else call(arguments)
        except BadAddress:
            answer = EFAULT
        if answer is not None:
            self._engine.reg_write(A0, answer & MASK)

    def _put(self, address: int, data: bytes) -> None:
        """Write for a system call: only where the program itself may, if the kernel looks."""
        may = any(start <= address and address + len(data) <= start + size for start, size in self._writable)
        region = "image" if 0 <= address - self._manners.load < len(self._image) else "data page"
        if not may and region not in self._manners.copyout:
            raise BadAddress
        try:
            self._engine.mem_write(address, data)
        except unicorn.UcError:
            raise BadAddress from None

    # ---- Signals.

    def _fault(self, signal: int, pc: int) -> None:
        if not self._manners.faults or signal not in self._handlers or self._mask >> (signal - 1) & 1:
            raise Killed(signal)
        self._engine.reg_write(PC, pc)
        self._deliver(signal)

    def _deliver(self, signal: int) -> None:
        """Make a signal frame as Linux does: siginfo of 128 bytes, ucontext behind it."""
        saved = [self._engine.reg_read(register) for register in X]
        sp = (saved[2] - 128 - 1024) & -16
        shown = struct.pack("<32Q", self._engine.reg_read(PC), *saved[1:]) if self._manners.frame else bytes(256)
        self._engine.mem_write(sp, struct.pack("<iii", signal, 0, 0).ljust(128, b"\0"))
        self._engine.mem_write(sp + 128, bytes(CONTEXT_REGISTERS) + shown)
        self._frames.append((self._engine.reg_read(PC), saved, self._mask))
        handler, flags = self._handlers[signal]
        if not (flags & SA_NODEFER and self._manners.nodefer):
            self._mask |= 1 << (signal - 1)
        place = self._manners.sigreturn
        self._engine.reg_write(RA, TRAMPOLINE if place is None else self._manners.load + self._sigreturn_offset() + place)
        self._engine.reg_write(SP, sp)
        self._engine.reg_write(A0, signal)
        self._engine.reg_write(A1, sp)
        self._engine.reg_write(A2, sp + 128)
        self._engine.reg_write(PC, handler)

    def _sigreturn_offset(self) -> int:
        table = ELFFile(io.BytesIO(self._image)).get_section_by_name(".dynsym")
        (symbol,) = table.get_symbol_by_name("__vdso_rt_sigreturn")
        return int(symbol["st_value"])

    def _sigreturn(self, _: list[int]) -> None:
        if not self._frames:
            raise Killed(SIGSEGV)
        pc, saved, mask = self._frames.pop()
        self._mask = mask | self._manners.left_blocked
        if self._manners.frame:
            at = self._engine.reg_read(SP) + 128 + CONTEXT_REGISTERS
            pc, *saved[1:] = struct.unpack("<32Q", self._engine.mem_read(at, 256))
        for register, value in zip(X[1:], saved[1:], strict=True):
            self._engine.reg_write(register, value)
        self._engine.reg_write(PC, pc)

    def _sigaction(self, arguments: list[int]) -> int:
        signal, action, old = arguments[:3]
        if old:
            self._put(old, struct.pack("<QQQ", *self._handlers.get(signal, (0, 0)), 0))
        if action:
            handler, flags = struct.unpack("<QQ", self._engine.mem_read(action, 16))
            self._handlers[signal] = handler, flags
        return 0

    def _sigprocmask(self, arguments: list[int]) -> int:
        how, new, old = arguments[:3]
        if old:
            self._put(old, struct.pack("<Q", self._mask))
        if new:
            assert how == 2, "SIG_SETMASK"
            self._mask = int.from_bytes(self._engine.mem_read(new, 8), "little")
        return 0

    def _kill(self, arguments: list[int]) -> int | None:
        process, signal = arguments[:2]
        if signal == SIGKILL and process in self._children:
            self._children[process] = SIGKILL
            return 0
        if process != self._process:
            return -3
        if signal in self._handlers and self._manners.handlers:
            self._engine.reg_write(A0, 0)
            self._deliver(signal)
            return None
        if signal == SIGURG and self._manners.handlers:
            return 0
        raise Killed(signal)

    # ---- Processes.

    def _clone(self, arguments: list[int]) -> int:
        """Run a child at once, to its end, in the memory of its parent, which is then put back."""
        if arguments[0] != 17:
            return EINVAL
        registers = [self._engine.reg_read(register) for register in [PC, *X]]
        memory = [(at, self._engine.mem_read(at, size)) for at, size in self._writable]
        parent, handlers, frames, mask = self._process, dict(self._handlers), list(self._frames), self._mask
        self._process = child = parent + 1 + len(self._children)
        self._engine.reg_write(A0, 0)
        try:
            self._go()
        except Killed as end:
            endless = self._manners.endless and end.status & 0x7F
            self._children[child] = None if endless else end.status
        self._process, self._handlers, self._frames, self._mask = parent, handlers, frames, mask
        for at, data in memory:
            self._engine.mem_write(at, bytes(data))
        for register, value in zip([PC, *X], registers, strict=True):
            self._engine.reg_write(register, value)
        return child

    def _wait(self, arguments: list[int]) -> int:
        child, place, options = arguments[:3]
        if self._stray:
            self._put(place, struct.pack("<i", 0))
            return self._stray.pop()
        if child not in self._children:
            return ECHILD
        status = self._children[child]
        if status is None:
            assert options & WNOHANG, "the program waits for ever"
            return 0
        del self._children[child]
        self._put(place, struct.pack("<i", status))
        return child

    def _exit(self, arguments: list[int]) -> None:
        raise Killed((arguments[0] & 0xFF) << 8)

    def _mprotect(self, arguments: list[int]) -> int:
        if not self._manners.mprotect:
            return EACCES
        self._engine.mem_protect(*arguments[:3])
        return 0

    # ---- The rest.

    def _write(self, arguments: list[int]) -> int:
        file, place, length = arguments[:3]
        data = bytes(self._engine.mem_read(place, length))
        if file == PIPE[1]:
            self._pipe += data
        else:
            assert file == 1
            self.output += data
        return length

    def _pipe2(self, arguments: list[int]) -> int:
        self._put(arguments[0], struct.pack("<ii", *PIPE))
        return 0

    def _read(self, arguments: list[int]) -> int:
        file, place, length = arguments[:3]
        assert file == PIPE[0]
        data, self._pipe = self._pipe[:length], self._pipe[length:]
        self._put(place, data)
        return len(data)

    def _getcpu(self, arguments: list[int]) -> int:
        if arguments[0]:
            self._put(arguments[0], struct.pack("<I", 0))
        return 0

    def _now(self, clock: int) -> tuple[int, int] | None:
        clock = (clock & 0xFFFFFFFF) - ((clock & 0x80000000) << 1)
        return self._clock.read(clock, self._counter - self._manners.late)

    def _gettime(self, arguments: list[int]) -> int:
        now = self._now(arguments[0])
        if now is None:
            return EINVAL
        self._put(arguments[1], struct.pack("<qq", *now))
        return 0

    def _getres(self, arguments: list[int]) -> int:
        if self._now(arguments[0]) is None:
            return EINVAL
        if arguments[1]:
            self._put(arguments[1], struct.pack("<qq", 0, -(-(10**9) // HZ)))
        return 0

    def _gettimeofday(self, arguments: list[int]) -> int:
        now = self._now(0)
        if now is None:
            return EINVAL
        self._put(arguments[0], struct.pack("<qq", now[0], now[1] // 1000))
        return 0
