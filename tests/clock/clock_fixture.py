# SPDX-License-Identifier: MIT
"""A program and its kernel for tests of the clock: the stubs in Unicorn, and the kernel's side in C and in Rust."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import capstone
import kernel_side
from exact_clock import SERVED
from kernel_side import DataPage
from scons_build import build
from stub_build import Stubs, stubs
from stub_runner import BUFFER, MACHINES, Result

GETTIME, GETTIMEOFDAY, GETRES = "clock_gettime", "gettimeofday", "clock_getres"


class Program:
    """A user program that calls the stubs, by their names without the prefix."""

    def __init__(self, linked: Stubs) -> None:
        self.stubs = linked
        self.machine = MACHINES[linked.arch.name](linked.image, linked.data_offset, counter_offset=linked.counter_offset)

    def call(self, name: str, *arguments: int, **more) -> Result:
        address, _ = self.stubs.functions[self.stubs.arch.export(name)]
        return self.machine.call(address, *arguments, **more)

    def number(self, name: str) -> int:
        """Return the number of the system call of a function."""
        return self.stubs.arch.syscalls[name]

    def gettime(self, clock: int, **more) -> Result:
        return self.call(GETTIME, clock, BUFFER, **more)

    def read(self, page: DataPage, clock: int, counter: int) -> tuple[int, ...] | None:
        """Return (sec, nsec) without the kernel; None if it was a system call."""
        self.machine.set_page(bytes(page))
        result = self.gettime(clock, counter=counter)
        assert result.value == 0
        return None if result.syscalls else result.words()

    def instructions(self, page: DataPage, *more: tuple[str, tuple[int, ...]]) -> dict[str, int]:
        """Return name to the instructions of a call that no kernel answers, entry to return inclusive: as many for each clock.

        more    calls beside those of the clock's functions: name and arguments
        """
        self.machine.set_page(bytes(page))
        calls = [(GETTIME, (clock, BUFFER)) for clock in SERVED] + [(GETTIMEOFDAY, (BUFFER, 0))]
        calls += [(GETRES, (clock, BUFFER)) for clock in SERVED]
        counts: dict[str, set[int]] = {}
        for name, arguments in (*calls, *more):
            result = self.call(name, *arguments, counter=10**12)
            assert result.syscalls == ()
            assert result.value == 0 or (name, arguments) in more
            counts.setdefault(name, set()).add(result.instructions)
        assert all(len(found) == 1 for found in counts.values()), "each clock takes as many"
        return {name: number for name, (number,) in counts.items()}


@dataclass(frozen=True)
class Clockwork:
    program: Program
    c: ctypes.CDLL
    rust: ctypes.CDLL


@cache
def clockwork(folder: Path) -> Clockwork:
    """Make all three in `folder`."""
    out = build(folder / "blob", "BASE=minimal")
    return Clockwork(
        Program(stubs(folder, "after")), kernel_side.build(folder), kernel_side.build_rust(folder, out / "vdso.rs")
    )


def broken_header(folder: Path, old: str, new: str) -> ctypes.CDLL:
    """Build the kernel's side from a copy of vdso_data.h in which `new` replaces the one `old`."""
    text = (kernel_side.SOURCES / "vdso_data.h").read_text()
    assert text.count(old) == 1, old
    (folder / "vdso_data.h").write_text(text.replace(old, new))
    return kernel_side.build(folder, folder / "vdso_data.h")


def without_check(linked: Stubs) -> Stubs:
    """Return stubs whose clock_gettime believes whatever it reads: the branch on the second load of `state` is a nop."""
    name = linked.arch.export(GETTIME)
    address, _ = linked.functions[name]
    engine = capstone.Cs(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV64 | capstone.CS_MODE_RISCVC)
    code = list(engine.disasm(linked.code(name), address))
    second = [at for at, i in enumerate(code) if i.mnemonic == "fence"][1]
    branch = next(i for i in code[second:] if i.mnemonic == "bne")
    image = bytearray(linked.image)
    image[branch.address : branch.address + 4] = (0x13).to_bytes(4, "little")
    return Stubs(linked.arch, bytes(image), linked.functions, linked.data_offset)
