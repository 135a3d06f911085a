# SPDX-License-Identifier: MIT
"""What differs between architectures, in one table: a new one is a row here, a folder in `vdso_src/` and tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

PAGE = 0x1000
REPLACE, SYSCALL, KEEP, HIDE = "replace", "syscall", "keep", "hide"
ADD = "add"
"""Of an export that the base does not have: the user's own."""


@dataclass(frozen=True)
class Arch:
    """Facts on one architecture.

    machine         e_machine of the ELF specification
    debian          the name of the architecture at Debian, also in the names of its kernel packages
    version         symbol version of every export (arch/*/kernel/vdso/vdso.lds.S of Linux)
    prefixes        of a cross compiler, in the order in which they are tried
    ccflags         beyond those that every architecture gets (see `toolchain`)
    program_ccflags beyond those again, for a program that is small and lies low
    e_flags_mask    the bits of e_flags in which stubs and base must agree
    trap            what fills code room that is not used: executed, it raises an illegal instruction
    decoder         the module that decodes its machine code
    relocations     in an object file, those that the code holds at any address: relative to the place, or a difference
    number_register, result_registers     of a system call
    stack_register, frame_pointer, return_register     a function that writes none of them has no frame
    thread_registers    which code of a vDSO never touches: thread and global pointer
    leaf_cie        what gcc writes into the unwind information of such a function, in DWARF's bytes behind the CIE_id
    no_return       system calls that do not come back: rt_sigreturn, exit, exit_group
    sigreturn       exact machine code of rt_sigreturn, which unwinders match byte by byte; "" where they don't
    syscalls        export, without its `__vdso_`, to system call number (include/uapi/asm-generic/unistd.h)
    policy          export, without its `__vdso_`, to what becomes of it
    """

    name: str
    machine: int
    debian: str
    version: str
    prefixes: tuple[str, ...]
    ccflags: tuple[str, ...]
    program_ccflags: tuple[str, ...]
    e_flags_mask: int
    trap: bytes
    decoder: str
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

    @property
    def frame_registers(self) -> frozenset[str]:
        return frozenset((self.stack_register, self.frame_pointer, self.return_register))


RISCV64 = Arch(
    name="riscv64",
    machine=243,
    debian="riscv64",
    version="LINUX_4.15",
    prefixes=(
        "riscv64-linux-gnu-",
        "riscv64-unknown-elf-",
        "riscv64-unknown-linux-gnu-",
        "riscv64-none-elf-",
        "riscv64-elf-",
    ),
    ccflags=("-march=rv64imac_zicsr", "-mabi=lp64", "-mcmodel=medany", "-mno-relax", "-msmall-data-limit=0"),
    program_ccflags=("-mrelax", "-mcmodel=medlow", "-malign-data=natural"),
    e_flags_mask=0x6,  # EF_RISCV_FLOAT_ABI; RVC may differ
    trap=b"\x00\x00",  # the all-zero parcel is defined illegal (RISC-V unprivileged ISA, 1.5)
    decoder="riscv",
    # RISC-V psABI, "Relocations": BRANCH to CALL_PLT, PCREL_HI20 to PCREL_LO12_S, ADD8 to SUB64, ALIGN to RVC_JUMP,
    # RELAX to 32_PCREL, SET_ULEB128 and SUB_ULEB128
    relocations=frozenset({*range(16, 20), *range(23, 26), *range(33, 41), *range(43, 46), *range(51, 58), 60, 61}),
    number_register="a7",
    result_registers=("a0",),
    stack_register="sp",
    frame_pointer="s0",
    return_register="ra",
    thread_registers=("tp", "gp"),
    # version 1, "zR", code alignment 1, data alignment -4, return address in x1; augmentation 0x1b; DW_CFA_def_cfa(x2, 0)
    leaf_cie=b"\x01zR\0\x01\x7c\x01\x01\x1b\x0c\x02\x00",
    no_return=frozenset({93, 94, 139}),
    sigreturn=bytes.fromhex("9308b00873000000"),  # li a7, 139; ecall (libgcc config/riscv/linux-unwind.h)
    syscalls=MappingProxyType(
        {
            "clock_gettime": 113,
            "clock_getres": 114,
            "getcpu": 168,
            "gettimeofday": 169,
            "riscv_hwprobe": 258,
            "flush_icache": 259,
        }
    ),
    policy=MappingProxyType(
        {
            "rt_sigreturn": KEEP,
            "clock_gettime": REPLACE,
            "gettimeofday": REPLACE,
            "clock_getres": REPLACE,
            "getcpu": KEEP,
            "flush_icache": KEEP,
            "riscv_hwprobe": SYSCALL,
            "getrandom": HIDE,
        }
    ),
)

ARCHES: Mapping[str, Arch] = MappingProxyType({arch.name: arch for arch in (RISCV64,)})
