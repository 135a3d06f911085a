# SPDX-License-Identifier: MIT
"""vDSOs to begin with: some that are made, as random as they may be and still sound; and the real ones of VDSO_BASES."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import image_builder
from bases import bases
from elf_builder import (
    FUNCTIONS,
    PT_GNU_RELRO,
    PT_GNU_STACK,
    PT_PHDR,
    Function,
    Spec,
    raw,
    reader,
    sigreturn,
    system_call,
    thunk,
)
from elf_builder import build as build_base
from vdso.elf.elf64 import PAGE

from .choices import Choices

SYSTEM_CALL = bytes.fromhex("9308100773000000")
SPECS = (
    Spec(),
    Spec(hashes=("gnu",), sections=False),
    Spec(hashes=("sysv",), symtab=True),
    Spec(undefined="riscv_isa_ext_keys", eh_frame=False),
    Spec(load_size=0x1234),
    Spec(covered=bytes(range(0x28)), spare=0, hashes=("gnu",)),
    Spec(lld=True, spare=0, first=(PT_PHDR, PT_GNU_STACK), property=True, load_flags=7),
    Spec(
        functions=(
            *FUNCTIONS[:1],
            thunk("__vdso_clock_gettime", "local"),
            thunk("__vdso_gettimeofday", "local", gap=2),
            *FUNCTIONS[3:],
            reader("local", 700, export=False),
        )
    ),
)


@cache
def sound() -> tuple[bytes, ...]:
    """Return bases that an image can be made of."""
    real = (path.read_bytes() for path in bases("riscv64*.so") if "cfi" not in path.name)
    return (*(build_base(spec) for spec in SPECS), *real)


@cache
def images() -> tuple[bytes, ...]:
    """Return images that keep every rule, of ours and of others."""
    ours, header = image_builder.ours, image_builder.HEADER
    return (ours(), ours(-PAGE, -PAGE), ours(0, header), ours(eh_frame=False), image_builder.foreign())


@cache
def strange() -> tuple[bytes, ...]:
    """Return bases that must be refused, that are of another kind, or that nobody relocates."""
    made = (
        *(Spec(bits=32), Spec(endian=">"), Spec(second_load=True), Spec(relocations=2), Spec(patched=(FUNCTIONS[0].name,))),
        *(Spec(auxiliary="cf-protection=full"), Spec(machine=183)),
    )
    others = (path.read_bytes() for path in bases() if path.read_bytes() not in sound())
    return (*(build_base(spec) for spec in made), *others)


def any_spec(choices: Choices) -> Spec:
    """Choose a base: any size, order and kind of function, with or without each table that may be absent."""
    functions = [_function(f, choices) for f in FUNCTIONS if f.name.endswith(("gettime", "sigreturn")) or not choices.chance(6)]
    for i in range(choices.pick((0, 0, 0, 1, 2))):
        body = SYSTEM_CALL + b"\x01\x00" * choices.below(40) + b"\x82\x80"
        name = choices.pick((f"__vdso_extra{i}", "__vdso_getrandom", "__vdso_time", "extra"))
        if name not in [f.name for f in functions]:
            functions.append(raw(name, body, export=not choices.chance(4)))
    if choices.chance(3):
        first = choices.below(len(functions))
        functions = functions[first:] + functions[:first]
    return Spec(
        functions=tuple(functions),
        hashes=choices.pick((("sysv", "gnu"), ("gnu",), ("sysv",))),
        sections=not choices.chance(3),
        symtab=choices.chance(3),
        lld=choices.chance(4),
        first=choices.pick(((), (), (PT_PHDR,), (PT_GNU_STACK, PT_GNU_RELRO))),
        load_flags=choices.pick((5, 5, 5, 7)),
        spare=choices.pick((5, 5, 4, 1, 0)),
        covered=choices.pick((b"", b"", b"\x88\3\0\0\0\0\0\0", bytes(24), b"\x01" * 0x60)),
        property=choices.chance(6),
        load_size=choices.pick((0, 0, 0, 0x1000, 0x1234, 0x2100)),
        linux=choices.pick((0x060C75, None)),
        build_id=choices.pick((bytes(range(20)), bytes(8), None)),
        eh_frame=not choices.chance(4),
        section_symbol=not choices.chance(4),
        undefined=choices.pick(("", "", "riscv_isa_ext_keys")),
        flags=choices.pick((1, 5)),
        soname=choices.pick(("linux-vdso.so.1",) * 8 + ("linux-gate.so.1", "vdso.so")),
        version=choices.pick(("LINUX_4.15",) * 8 + ("LINUX_2.6", "LINUX_4.15x")),
    )


def _function(function: Function, choices: Choices) -> Function:
    name, gap = function.name, choices.pick((0, 0, 2, 6, 64))
    if name.endswith("sigreturn"):
        return sigreturn()
    if name.endswith(("getcpu", "icache")) or choices.chance(8):
        return system_call(name, choices.pick((113, 168, 259)), gap)
    far = choices.pick((-0x4000, -0x1000, 0x8000, 0x40))
    return replace(reader(name, 12 + 2 * choices.below(350), far, gap=gap), cfi=choices.pick(("", "", "zR")))
