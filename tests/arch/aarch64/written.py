# SPDX-License-Identifier: MIT
"""What the kernel's side of the clock, compiled for aarch64, does to one row of the page: by running its code."""

from __future__ import annotations

import subprocess
from pathlib import Path

import unicorn
from arch.aarch64.machine import READ_COUNTER, READ_COUNTER_MASK
from arch.riscv64.rvwmo import Access, Fence
from memory_order.one_update import ALL, MEMORY, STATE
from repository import SOURCES
from unicorn import arm64_const as regs
from vdso.arch.aarch64.facts import AARCH64

CODE, PAGE, STACK, END = 0x10000, 0x40000, 0x80000, 0x90000
ROW_SIZE = 64
HZ = 62_500_000
DSB_ISH, DMB_ISH, ISB = 0xD5033B9F, 0xD5033BBF, 0xD5033FDF
STLR, STLR_MASK = 0xC89FFC00, 0xFFFFFC00
SOURCE = """\
#include "counter.h"
#include "vdso_data.h"
int init(struct vdso_data *d, uint64_t hz)
{
	return vdso_data_init(d, hz);
}
void update(struct vdso_data *d, int64_t ppb)
{
	vdso_data_begin(d);
	(void)!vdso_data_adjust(d, vdso_counter_unordered(), ppb);
	vdso_data_end(d);
}
"""


def compiled(folder: Path) -> tuple[bytes, dict[str, int]]:
    """Return the code of both functions, as a kernel compiles them, and where each begins."""
    prefix, source, made = AARCH64.compilers.words[0], folder / "writer.c", folder / "writer.elf"
    source.write_text(SOURCE)
    flags = ["-O2", "-ffreestanding", "-mgeneral-regs-only", "-mno-outline-atomics", f"-I{SOURCES}", f"-I{SOURCES / 'aarch64'}"]
    subprocess.run(
        [f"{prefix}gcc", *flags, "-nostdlib", "-static", f"-Wl,-Ttext={CODE:#x},-e,0", source, "-o", made], check=True
    )
    flat = folder / "writer.bin"
    subprocess.run([f"{prefix}objcopy", "-O", "binary", "-j", ".text", made, flat], check=True)
    names = subprocess.run([f"{prefix}nm", made], capture_output=True, text=True, check=True).stdout
    places = {line.split()[2]: int(line.split()[0], 16) for line in names.splitlines()}
    return flat.read_bytes(), {name: places[name] for name in ("init", "update")}


def update_of_row(folder: Path, row: int) -> list[Access | Fence]:
    """Return what one update does to a row of a page in use, and to the counter, in program order, with its fences."""
    code, places = compiled(folder)
    engine = unicorn.Uc(unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM)
    for start in (CODE, PAGE, STACK, END):
        engine.mem_map(start, 0x10000)
    engine.mem_write(CODE, code)
    engine.reg_write(regs.UC_ARM64_REG_CPACR_EL1, 3 << 20)
    found: list[Access | Fence] = []
    waits = False  # a `dsb` was the last barrier

    def step(_engine: unicorn.Uc, at: int, _size: int, _data: object) -> None:
        nonlocal waits
        word = int.from_bytes(engine.mem_read(at, 4), "little")
        if word & READ_COUNTER_MASK == READ_COUNTER:
            found.append(Access(reads=True, writes=False, counter=True))
        elif word == DSB_ISH:
            found.append(Fence(MEMORY, MEMORY))
            waits = True
        elif word == ISB and waits:  # behind a `dsb` it holds all that follows, the counter too
            found[-1] = Fence(ALL, ALL)
        elif word == DMB_ISH or word & STLR_MASK == STLR:
            found.append(Fence(MEMORY, MEMORY))
        if word not in (DSB_ISH, ISB):
            waits = False

    def stored(_engine: unicorn.Uc, _access: int, at: int, size: int, _value: int, _data: object) -> None:
        if 0 <= at - PAGE - row * ROW_SIZE < ROW_SIZE:
            found.append(Access(reads=False, writes=True, start=at - PAGE - row * ROW_SIZE, size=size))

    engine.hook_add(unicorn.UC_HOOK_CODE, step)
    engine.hook_add(unicorn.UC_HOOK_MEM_WRITE, stored)
    for name, argument in (("init", HZ), ("update", 1000)):
        found.clear()
        engine.reg_write(regs.UC_ARM64_REG_SP, STACK + 0x8000)
        engine.reg_write(regs.UC_ARM64_REG_X30, END)
        engine.reg_write(regs.UC_ARM64_REG_X0, PAGE)
        engine.reg_write(regs.UC_ARM64_REG_X1, argument)
        engine.emu_start(places[name], END)
    assert found[0] == Access(reads=False, writes=True, start=STATE, size=8), "the mark comes first"
    return found
