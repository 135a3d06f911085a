# SPDX-License-Identifier: MIT
"""What no base may be: a vDSO that is whole, but of which no image can be made that every program accepts."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from elf_builder import FUNCTIONS, PREFIX, Function, Spec
from elf_builder import build as build_base
from image_builder import Patch, ours
from spliced import plain_code, with_functions
from vdso.arch.riscv64.facts import RISCV64
from vdso.elf import elf64
from vdso.errors import VdsoError
from vdso.image.reader import read_vdso
from vdso.policy.base_check import nameable, refuse_base

CLOCK, CPU, CACHE = PREFIX + "clock_gettime", PREFIX + "getcpu", PREFIX + "flush_icache"
VERSION = "LINUX_4.15"
STT_GNU_IFUNC, STB_WEAK = 10, 2


def check(data: bytes) -> None:
    refuse_base(read_vdso("base.so", data, RISCV64))


def changed(change: Callable[[Patch], object]) -> bytes:
    patch = Patch(build_base(Spec(sections=False)))
    change(patch)
    return patch.image


def info(kind: int, bind: int) -> int:
    return bind << 4 | kind


TAKEN: dict[str, Callable[[], bytes]] = {
    "as Linux makes it": lambda: build_base(Spec()),
    "a symbol of the kernel undefined": lambda: build_base(Spec(undefined="riscv_isa_ext_keys")),
    "a function without a type": lambda: changed(lambda p: p.symbol(CPU, info=info(elf64.STT_NOTYPE, elf64.STB_GLOBAL))),
    "a weak function": lambda: changed(lambda p: p.symbol(CLOCK, info=info(elf64.STT_FUNC, STB_WEAK))),
    "a name that C can not have": lambda: build_base(with_functions(plain_code(PREFIX + "two words", 20))),
    "two names that C can not have": lambda: build_base(
        with_functions(plain_code(PREFIX + "a b", 20), plain_code(PREFIX + "A B", 20))
    ),
    "a function without the prefix": lambda: build_base(with_functions(plain_code("other", 20))),
    "no getcpu": lambda: build_base(Spec(functions=tuple(f for f in FUNCTIONS if f.name != CPU))),
}
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "one of our images": (ours, "already spliced: it carries a note of scons-vdso; give the base that it was made from"),
    "two symbols of one name": (
        lambda: changed(lambda p: p.symbol(CPU, name=p.string(CACHE))),
        f"has two symbols {CACHE}; take the vDSO of another Linux, or BASE=minimal",
    ),
    "a function that is an object": (
        lambda: changed(lambda p: p.symbol(CPU, info=info(elf64.STT_OBJECT, elf64.STB_GLOBAL))),
        f"has a symbol {CPU} of type 0x1 and binding 0x1, no function to export",
    ),
    "an indirect function": (
        lambda: changed(lambda p: p.symbol(CPU, info=info(STT_GNU_IFUNC, elf64.STB_GLOBAL))),
        f"has a symbol {CPU} of type 0xa and binding 0x1, no function to export",
    ),
    "a local function": (
        lambda: changed(lambda p: p.symbol(CPU, info=info(elf64.STT_FUNC, elf64.STB_LOCAL))),
        f"has a symbol {CPU} of type 0x2 and binding 0x0, no function to export",
    ),
    "a version that has a place": (
        lambda: changed(lambda p: p.symbol(VERSION, shndx=1)),
        f"has a symbol {VERSION} of type 0x1 and binding 0x1, no function to export",
    ),
    "a version that is local": (
        lambda: changed(lambda p: p.symbol(VERSION, info=info(elf64.STT_OBJECT, elf64.STB_LOCAL))),
        f"has a symbol {VERSION} of type 0x1 and binding 0x0, no function to export",
    ),
    "a version with an odd name": (
        lambda: build_base(Spec(version="LINUX 4")),
        "has a symbol LINUX 4 of type 0x1 and binding 0x1, no function to export",
    ),
    "an undefined export": (
        lambda: build_base(Spec(undefined=PREFIX + "getrandom")),
        f"has {PREFIX}getrandom undefined; take the vDSO of another Linux",
    ),
    "two names that make one constant": (
        lambda: build_base(with_functions(plain_code(PREFIX + "GetCpu", 20))),
        f"exports {CPU} and {PREFIX}GetCpu, for which vdso.h can have no two names",
    ),
    "no function": (
        lambda: build_base(Spec(functions=tuple(replace(f, export=False) for f in FUNCTIONS))),
        "exports no function; take the vDSO of another Linux, or BASE=minimal",
    ),
    "no rt_sigreturn": (
        lambda: build_base(Spec(functions=FUNCTIONS[1:])),
        f"exports no {PREFIX}rt_sigreturn: the kernel has signal handlers return to it; take the vDSO of another Linux",
    ),
}


@pytest.mark.parametrize("made", TAKEN.values(), ids=TAKEN)
def test_what_an_image_can_be_made_of_is_taken(made: Callable[[], bytes]) -> None:
    check(made())


@pytest.mark.parametrize(("made", "why"), REFUSED.values(), ids=REFUSED)
def test_what_no_image_can_be_made_of_is_refused(made: Callable[[], bytes], why: str) -> None:
    with pytest.raises(VdsoError, match="^base.so: " + re.escape(why)):
        check(made())


@pytest.mark.parametrize(
    ("short", "can"),
    [
        ("getcpu", True),
        ("_x1", True),
        ("X" * 64, True),
        ("X" * 65, False),
        ("1x", False),
        ("", False),
        ("a b", False),
        ("a-b", False),
        ("a\n", False),
        ("é", False),
    ],
)
def test_names_are_identifiers_of_c(short: str, can: bool) -> None:
    assert nameable(PREFIX + short, RISCV64) == can


def functions(count: int) -> tuple[Function, ...]:
    return tuple(plain_code(f"{PREFIX}f{i}", 20) for i in range(count))


def test_many_exports_are_looked_at_in_one_go() -> None:
    check(build_base(Spec(functions=(*FUNCTIONS, *functions(200)))))
    twice = (*FUNCTIONS, *functions(200), plain_code(f"{PREFIX}F199", 20))
    with pytest.raises(VdsoError, match=f"exports {PREFIX}f199 and {PREFIX}F199,"):
        check(build_base(Spec(functions=twice)))
