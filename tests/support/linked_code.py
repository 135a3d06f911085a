# SPDX-License-Identifier: MIT
"""riscv64 functions at fixed addresses, with a data page, ready to run: what tests of the memory order look at."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile
from repository import INCLUDES
from stub_build import CCFLAGS, PREFIX

DATA = 0x40000
COUNTER = 0x41FF8  # where the counter is a word of a page
SCRIPT = f"""SECTIONS {{
  .text 0x8a2 : {{ *(.text*) *(.rodata*) *(.srodata*) }}
  vdso_data = {DATA:#x};
  vdso_counter_word = {COUNTER:#x};
  /DISCARD/ : {{ *(*) }}
}}
"""


@dataclass(frozen=True)
class Linked:
    image: bytes
    functions: dict[str, int]


def compile_source(source: Path, target: Path, *flags: str) -> Path:
    subprocess.run([f"{PREFIX}gcc", *CCFLAGS, *INCLUDES, *flags, "-c", source, "-o", target], check=True)
    return target


def link(folder: Path, objects: Sequence[Path]) -> Linked:
    script, linked = folder / "linked.ld", folder / "linked.elf"
    script.write_text(SCRIPT)
    subprocess.run([f"{PREFIX}ld", "--no-relax", "-T", script, "-o", linked, *objects], check=True)
    elf = ELFFile(io.BytesIO(linked.read_bytes()))
    text = elf.get_section_by_name(".text")
    symbols = elf.get_section_by_name(".symtab").iter_symbols()
    functions = {s.name: s["st_value"] for s in symbols if s["st_info"]["type"] == "STT_FUNC"}
    return Linked(bytes(text["sh_addr"]) + text.data(), functions)
