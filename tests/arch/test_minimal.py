# SPDX-License-Identifier: MIT
"""The base of our own, of each architecture: its sources make it, and each function is its system call."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import pytest
from bases import minimal
from minimal_base import commands, relinked
from vdso.arch import ARCHES
from vdso.arch.arch import KEEP, Arch
from vdso.elf.elf64 import PAGE
from vdso.extract.find import find
from vdso.image.analysis import analyse, outside
from vdso.image.model import Vdso
from vdso.image.reader import read_vdso
from vdso.policy.base_check import refuse_base

each = pytest.mark.parametrize("arch", ARCHES.values(), ids=ARCHES)
MADE_BY = ("(Debian 12.2.0", "(GNU Binutils for Debian) 2.40", "clang version 19.1.7", "LLD 19.1.7")
"""What the programs say of themselves that the bases were made with; others order tables and round sizes in other ways."""


@cache
def base(arch: Arch) -> Vdso:
    return read_vdso("base.so", minimal(arch).read_bytes(), arch)


def contents(made: Vdso) -> dict[str, object]:
    """Return what a base is, wherever a linker puts it: functions, names, notes, tables, segments, FDEs.

    Of an FDE the augmentation string ("S": the frame of a signal) counts: assemblers begin a CIE with other instructions.
    """
    starts = {symbol.value: name for name, symbol in made.exports.items()}
    return {
        "functions": {
            name: (symbol.info, symbol.size, made.data[symbol.value : symbol.value + symbol.size])
            for name, symbol in made.exports.items()
        },
        "aliases": made.aliases,
        "unwound": {starts[fde.start]: (fde.size, fde.cie[1:].partition(b"\0")[0]) for fde in made.fdes},
        "notes": {(note.owner, note.type) for note in made.notes},
        "tables": {tag for tag, _ in made.dynamic},
        "segments": {(phdr.type, phdr.flags) for phdr in made.phdrs},
    }


@each
def test_its_sources_make_it(arch: Arch, tmp_path: Path) -> None:
    """To the byte with the programs that made it; with any other ones, the same functions, names, notes and tables."""
    assert commands(arch)
    made = relinked(arch, tmp_path)
    assert contents(read_vdso("base.so", made, arch)) == contents(base(arch))
    tools = {
        command[0]: subprocess.run([command[0], "--version"], capture_output=True, text=True, check=True)
        for command in commands(arch)
    }
    if all(any(word in says.stdout for word in MADE_BY) for says in tools.values()):
        assert made == minimal(arch).read_bytes()


@each
def test_it_is_a_base_of_a_page_that_is_ours(arch: Arch) -> None:
    made = base(arch)
    refuse_base(made)
    assert find("base.so", made.file, arch) == made.file
    assert len(made.file) <= PAGE
    assert made.maker.own
    assert made.fdes


@each
def test_each_function_is_its_system_call(arch: Arch) -> None:
    made = base(arch)
    assert {arch.short(name) for name in made.exports} == {*arch.syscalls, *(n for n, p in arch.policy.items() if p == KEEP)}
    for name, symbol in made.exports.items():
        function = analyse(made.data, symbol.value, arch)
        assert not function.unknown
        assert not outside(function, len(made.data))
        assert [span.size for span in function.covered] == [symbol.size]
        number = arch.syscalls.get(arch.short(name))
        assert function.numbers == {number} if number else function.numbers <= arch.no_return
    name = arch.export("rt_sigreturn")
    if name in made.exports:
        start = made.exports[name].value
        assert made.data[start : start + len(arch.sigreturn)] == arch.sigreturn
        assert start not in {fde.end for fde in made.fdes}, "an unwinder would take the function before"
