# SPDX-License-Identifier: MIT
"""What one architecture must tell: the record that each folder beside this file fills in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .effects import Effect

REPLACE, SYSCALL, KEEP, HIDE = "replace", "syscall", "keep", "hide"
ADD = "add"
"""Of an export that the base does not have: the user's own."""


@dataclass(frozen=True, eq=False)
class Arch:
    """Facts on one architecture.

    machine         e_machine of the ELF specification
    debian          the name of the architecture at Debian, also in the names of its kernel packages
    version         symbol version of every export (arch/*/kernel/vdso/vdso.lds.S of Linux)
    export_prefix   what the name of every export of Linux begins with; the file that `version` comes from
    prefixes        of a cross compiler, in the order in which they are tried
    ccflags         beyond those that every architecture gets (see `toolchain`)
    program_ccflags beyond those again, for a program that is small and lies low
    e_flags_mask    the bits of e_flags in which stubs and base must agree
    trap            what fills code room that is not used: executed, it raises an illegal instruction
    relocations     in an object file, those that the code holds at any address: relative to the place, or a difference
    number_register, result_registers     of a system call
    stack_register, frame_pointer, return_register     a function that writes none of them has no frame
    thread_registers    which code of a vDSO never touches: thread and global pointer
    leaf_cie        what gcc writes into the unwind information of such a function, in DWARF's bytes behind the CIE_id
    no_return       system calls that do not come back: rt_sigreturn, exit, exit_group
    sigreturn       exact machine code of rt_sigreturn, which unwinders match byte by byte; "" where they don't
    syscalls        export, without its prefix, to system call number (include/uapi/asm-generic/unistd.h)
    policy          export, without its prefix, to what becomes of it
    """

    name: str
    machine: int
    debian: str
    version: str
    export_prefix: str
    prefixes: tuple[str, ...]
    ccflags: tuple[str, ...]
    program_ccflags: tuple[str, ...]
    e_flags_mask: int
    trap: bytes
    relocations: frozenset[int]
    number_register: str
    result_registers: tuple[str, ...]
    stack_register: str
    frame_pointer: str
    return_register: str
    thread_registers: tuple[str, ...]
    leaf_cie: bytes
    no_return: frozenset[int]
    sigreturn: bytes
    syscalls: Mapping[str, int]
    policy: Mapping[str, str]

    def short(self, export: str) -> str:
        """Return the name of an export without its prefix; a name that has none stays as it is."""
        return export.removeprefix(self.export_prefix)

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
        return frozenset((self.stack_register, self.frame_pointer, self.return_register))
