# SPDX-License-Identifier: MIT
"""Compiles and links the stubs alone, without a base around them: what tests of the stubs themselves run on."""

from __future__ import annotations

import functools
import io
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile
from repository import SOURCES
from vdso.arch.arch import Arch
from vdso.arch.compilers import Compiler
from vdso.arch.riscv64.facts import RISCV64
from vdso.stubs import toolchain

PREFIX = "riscv64-linux-gnu-"
COMPILER = RISCV64.compilers.called(PREFIX)[0]
CCFLAGS = (*toolchain.CCFLAGS, "-Werror", *COMPILER.flags.stubs)
PLACES = {"after": 0x1000, "before": -0x1000, "none": None}
# Where the counter is, if it is a word of a page (COUNTER=mmio:0xff8).
COUNTER_PLACES = {"after": 0x2FF8, "before": -0x1008, "none": 0x1FF8}
# Any order and any address will do; an odd start, so that nothing is aligned by luck to more than an instruction is.
START = 0x8A0
SCRIPT = """SECTIONS {{
  .stubs {start} : {{ *(.text*) *(.rodata* .srodata*) }}
  {symbol}
  /DISCARD/ : {{ *(*) }}
}}
"""


@dataclass(frozen=True)
class Stubs:
    """image: bytes from address 0 on; functions: name to (address, size)."""

    arch: Arch
    image: bytes
    functions: dict[str, tuple[int, int]]
    data_offset: int | None
    counter_offset: int | None = None

    def code(self, name: str) -> bytes:
        address, size = self.functions[name]
        return self.image[address : address + size]

    def lines(self, name: str) -> list[str]:
        """Return the text of the instructions of a function, in the order of the code. `name`: without the prefix."""
        address, size = self.functions[self.arch.export(name)]
        return [text for _, _, text in self.arch.text(self.image, address, address + size)]


def first(arch: Arch) -> Compiler:
    """Return the compiler and linker of an architecture that a build looks for first."""
    return arch.compilers.called("")[0]


def gcc(arch: Arch) -> str:
    """Return the gcc of an architecture that the tests run with."""
    return first(arch).cc


@functools.cache
def compile_stub(
    folder: Path, source: str, *defines: str, tree: Path = SOURCES, compiler: str = "", arch: Arch = RISCV64
) -> Path:
    """Return the object file of a stub source of `tree`, which is compiled once. `compiler`: "" for gcc."""
    target = folder / ("-".join([source, *defines]) + ".o")
    folders = (tree, tree / arch.name)
    path = next(path for folder in folders if (path := folder / f"{source}.c").is_file())
    command = [compiler or gcc(arch), *toolchain.CCFLAGS, "-Werror", *arch.compilers.flags(compiler).stubs]
    flags = [*(f"-I{folder}" for folder in folders), *(f"-D{define}" for define in defines)]
    subprocess.run([*command, *flags, "-c", path, "-o", target], check=True)
    return target


def names(arch: Arch = RISCV64) -> list[str]:
    """Return the names of all stub sources, without their ending."""
    return sorted(path.stem for sources in (SOURCES, SOURCES / arch.name) for path in sources.glob("*.c"))


def compile_all(folder: Path, *defines: str) -> list[Path]:
    """Return the object files of all stub sources."""
    return [compile_stub(folder, name, *defines) for name in names()]


def broken_tree(folder: Path, name: str, old: str, new: str) -> Path:
    """Return a copy of vdso_src in `folder` in which `old`, which stands once in the file `name`, is `new`."""
    tree = folder / "vdso_src"
    shutil.copytree(SOURCES, tree)
    text = (tree / name).read_text()
    assert text.count(old) == 1, old
    (tree / name).write_text(text.replace(old, new))
    return tree


def stubs(
    folder: Path,
    data_page: str,
    hz: int | None = None,
    tree: Path = SOURCES,
    compiler: str = "",
    mmio: bool = False,
    arch: Arch = RISCV64,
) -> Stubs:
    """Link all stubs of `tree` for a data page `after`, `before` or `none` (then `hz` is compiled in).

    mmio    the counter is a word of a page
    """
    offset, counter = PLACES[data_page], COUNTER_PLACES[data_page] if mmio else None
    defines = () if hz is None else ("VDSO_DATA_PAGE_NONE", f"VDSO_TIMEBASE_HZ={hz}")
    defines += ("VDSO_COUNTER_MMIO",) if mmio else ()
    objects = [compile_stub(folder, name, *defines, tree=tree, compiler=compiler, arch=arch) for name in names(arch)]
    script, linked = folder / f"{data_page}.ld", folder / f"{data_page}-{hz}.elf"
    symbols = {"vdso_data": offset, "vdso_counter_word": counter}
    placed = "".join(f"{symbol} = {at}; " for symbol, at in symbols.items() if at is not None)
    script.write_text(SCRIPT.format(start=START + arch.code_unit, symbol=placed))
    subprocess.run([first(arch).ld, "--no-relax", "-T", script, "-o", linked, *objects], check=True)
    elf = ELFFile(io.BytesIO(linked.read_bytes()))
    section = elf.get_section_by_name(".stubs")
    table = elf.get_section_by_name(".symtab")
    functions = {
        symbol.name: (symbol["st_value"], symbol["st_size"])
        for symbol in table.iter_symbols()
        if symbol["st_info"]["type"] == "STT_FUNC"
    }
    return Stubs(arch, bytes(section["sh_addr"]) + section.data(), functions, offset, counter)
