# SPDX-License-Identifier: MIT
"""The stores of the kernel's side, one by one: vdso_data.h compiled for riscv64 as a kernel would, run in Unicorn."""

from __future__ import annotations

import io
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import unicorn
from elftools.elf.elffile import ELFFile
from kernel_side import HERE, SOURCES
from repository import INCLUDES
from stub_build import CCFLAGS, PREFIX
from unicorn import riscv_const as regs

CODE, PAGE_AT, STACK, RETURN, PAGE = 0x10000, 0x4000_0000, 0x7000_0000, 0x1000_0000, 0x1000


@dataclass(frozen=True)
class Store:
    """`value` of `size` bytes at `offset` of the data page."""

    offset: int
    size: int
    value: int

    def apply(self, page: bytes) -> bytes:
        data = (self.value & (1 << 8 * self.size) - 1).to_bytes(self.size, "little")
        return page[: self.offset] + data + page[self.offset + self.size :]


class Writer:
    """Calls of tests/support/kernel.c on a page."""

    def __init__(self, folder: Path) -> None:
        linked = folder / "writer.elf"
        flags = [f'-DKERNEL_HEADER="{SOURCES / "vdso_data.h"}"', *INCLUDES, "-nostdlib", "-static"]
        flags += ["-Wl,--build-id=none", f"-Wl,-Ttext={CODE:#x}", "-Wl,-e,0"]
        subprocess.run([f"{PREFIX}gcc", *CCFLAGS, *flags, HERE / "kernel.c", "-o", linked], check=True)
        elf = ELFFile(io.BytesIO(linked.read_bytes()))
        self._functions = {s.name: s["st_value"] for s in elf.get_section_by_name(".symtab").iter_symbols()}
        self._engine = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV64)
        self._engine.mem_map(CODE, 16 * PAGE, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
        for section in elf.iter_sections("SHT_PROGBITS"):
            if section["sh_addr"]:
                self._engine.mem_write(section["sh_addr"], section.data())
        for at in (PAGE_AT, STACK, RETURN):
            self._engine.mem_map(at, PAGE)
        self._engine.hook_add(unicorn.UC_HOOK_MEM_WRITE, self._store, begin=PAGE_AT, end=PAGE_AT + PAGE - 1)

    def call(self, name: str, page: bytes, *arguments: int) -> tuple[list[Store], bytes]:
        """Return the stores of `k_<name>(page, *arguments)` in their order, and the page after the call."""
        self._stores: list[Store] = []
        self._engine.mem_write(PAGE_AT, page)
        self._engine.reg_write(regs.UC_RISCV_REG_SP, STACK + PAGE - 64)
        self._engine.reg_write(regs.UC_RISCV_REG_RA, RETURN)
        for i, value in enumerate((PAGE_AT, *arguments)):
            self._engine.reg_write(regs.UC_RISCV_REG_A0 + i, value & (1 << 64) - 1)
        self._engine.emu_start(self._functions[f"k_{name}"], RETURN)
        return self._stores, bytes(self._engine.mem_read(PAGE_AT, PAGE))

    def _store(self, _engine: Any, _access: int, address: int, size: int, value: int, _data: Any) -> None:
        self._stores.append(Store(address - PAGE_AT, size, value))
