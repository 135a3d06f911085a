# SPDX-License-Identifier: MIT
"""The records of an architecture's facts, which each folder beside this file fills in."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from .compilers import Compilers

if TYPE_CHECKING:
    from .effects import Effect

REPLACE, SYSCALL, KEEP, HIDE = "replace", "syscall", "keep", "hide"
ADD = "add"
"""The policy of an export that the base does not have: the user adds it, or the build does."""


class Installed(NamedTuple):
    """A program in PATH, or the file of that name if it begins with a slash, and the Debian packages that have it."""

    name: str
    packages: tuple[str, ...]

    def found(self) -> bool:
        return Path(self.name).is_file() if self.name.startswith("/") else bool(shutil.which(self.name))


@dataclass(frozen=True)
class Counter:
    """The counter that stubs read, in words for people.

    read        the instruction or register by which a kernel reads it
    cpu         the name of a CPU in the architecture's manuals
    allow       the step of the kernel on each CPU that lets user mode read the counter
    firmware    the step of the firmware before that; "" where none is needed
    frequency   the source of the counter's frequency
    """

    read: str
    cpu: str
    allow: str
    firmware: str
    frequency: str


class Mark(NamedTuple):
    """An instruction of four bytes, which is known by the bits in `mask`."""

    name: str
    mask: int
    value: int

    def begins(self, code: bytes) -> bool:
        """Tell whether `code` begins with this instruction."""
        return len(code) >= 4 and int.from_bytes(code[:4], "little") & self.mask == self.value


class Entry(NamedTuple):
    """The form of an entry for code that Linux patches at boot, as `struct` writes forms.

    Its first field is the distance from the entry's first byte to that code. `size_at` is the index of the field with its size.
    """

    form: str
    size_at: int


class Alternatives(NamedTuple):
    """The section of a vDSO that lists the code which Linux patches at boot to suit the CPU; the newest form comes first."""

    section: str
    entries: tuple[Entry, ...]


class Emulation(NamedTuple):
    """The programs that build and run Linux programs and kernels on another machine, for the tests and `demo`.

    user, system    QEMU for one program, and for a kernel
    cc, libc        a compiler of programs, and the C library that they are linked with
    rust_targets    of rustc, for a kernel: any of them will do
    counting        what counts the instructions of a call, where that is not done by Python's packages alone
    """

    user: Installed
    system: Installed
    cc: Installed
    libc: Installed
    rust_targets: tuple[str, ...]
    counting: tuple[Installed, ...] = ()


@dataclass(frozen=True, eq=False)
class Arch:
    """Facts on one architecture.

    machine         e_machine of the ELF specification
    debian          the name of the architecture at Debian, also in the names of its kernel packages
    version         symbol version of every export (arch/*/kernel/vdso/vdso.lds.S of Linux)
    export_prefix   begins the name of every export of Linux; from the same file as `version`
    compilers       with their flags, which are added to those of every architecture (see `toolchain`)
    emulation       programs that run its code on another machine
    counter         words about the counter
    counter_page    words about a counter that is a word of a page of a device (COUNTER=mmio:OFFSET); None: no such one is known
    code_unit       bytes: every instruction begins at a multiple of it, and none is shorter
    page_sizes      of kernels of the architecture, the smallest first
    trap            fills unused room among code: executed, it raises an illegal instruction
    landing_pad     begins the functions of a vDSO with control flow integrity; None where that changes no code
    alternatives    the list of code that Linux patches at boot
    relocations     in an object file, those that the code holds at any address: relative to the place, or a difference
    zero_register   reads as 0 whatever is written to it; "" where there is none
    number_register, result_registers     of a system call: its number, and what it changes
    stack_register, frame_pointer         "" for a frame pointer that is a register like others
    return_register     holds the return address after a call; "" where that is on the stack
    thread_registers    thread and global pointer, which code of a vDSO never touches
    leaf_cie        the unwind information that gcc writes for a function without a frame, from behind the CIE_id
    user_space      where user space ends under each sort of page tables, from the smallest
    budget          export, without its prefix, to bytes of our code with a data page, by the compiler that counts are held with
    no_return       system calls that do not come back: rt_sigreturn, exit, exit_group
    sigreturn       exact machine code of rt_sigreturn, which unwinders match byte by byte; "" where they don't
    syscalls        export, without its prefix, to system call number; the same numbers are in vdso_src/*/numbers.h
    policy          export, without its prefix, to what becomes of it
    musl_knew_hash  releases of musl that know DT_HASH alone look for a clock in the vDSO (arch/*/syscall_arch.h, VDSO_CGT_SYM)
    asserted        exports, without their prefix and beside clock_gettime, for lack of which rustix ends the program
                    (src/backend/linux_raw/vdso_wrappers.rs)
    """

    name: str
    machine: int
    debian: str
    version: str
    export_prefix: str
    compilers: Compilers
    emulation: Emulation
    counter: Counter
    counter_page: Counter | None
    code_unit: int
    page_sizes: tuple[int, ...]
    trap: bytes
    landing_pad: Mark | None
    alternatives: Alternatives
    relocations: frozenset[int]
    zero_register: str
    number_register: str
    result_registers: tuple[str, ...]
    stack_register: str
    frame_pointer: str
    return_register: str
    thread_registers: tuple[str, ...]
    leaf_cie: bytes
    user_space: Mapping[str, int]
    budget: Mapping[str, int]
    no_return: frozenset[int]
    sigreturn: bytes
    syscalls: Mapping[str, int]
    policy: Mapping[str, str]
    musl_knew_hash: bool = True
    asserted: frozenset[str] = frozenset()

    def short(self, export: str) -> str:
        """Return the name of an export without its prefix; a name that has none stays as it is.

        Exports have their full names in the library. Short names are for POLICY, the tables of this record, and the
        constants of vdso.h and vdso.rs.
        """
        return export.removeprefix(self.export_prefix)

    def export(self, short: str) -> str:
        """Return the name of an export with its prefix."""
        return self.export_prefix + short

    @cached_property
    def decode(self) -> Callable[[bytes, int], tuple[int, Effect] | None]:
        """Return the decoder: code and an offset to size in bytes and effect of the instruction there; None if it is not known.

        The offset is also the address of the instruction.
        """
        found: Callable[[bytes, int], tuple[int, Effect] | None] = self._decoder.decode
        return found

    @cached_property
    def text(self) -> Callable[[bytes, int, int], Iterator[tuple[int, int, str]]]:
        """Return the disassembler: code, start and end to address, size and text of each instruction in [start, end)."""
        found: Callable[[bytes, int, int], Iterator[tuple[int, int, str]]] = self._decoder.text
        return found

    @property
    def _decoder(self) -> ModuleType:
        """Import the architecture's module `decode` late: a build with nothing to do must not pay for it."""
        return import_module(f"{__package__}.{self.name}.decode")

    @property
    def frame_registers(self) -> frozenset[str]:
        """Return the registers of which a function without a frame writes none."""
        return frozenset((self.stack_register, self.frame_pointer, self.return_register)) - {""}
