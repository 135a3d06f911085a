# SPDX-License-Identifier: MIT
"""vDSOs to begin with: some that are made, as random as they may be and still sound; `minimal`; the real ones of VDSO_BASES."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import image_builder
from bases import bases, minimal
from elf_builder import PT_GNU_RELRO, PT_GNU_STACK, PT_PHDR, Function, Spec, raw, reader, sigreturn, system_call, thunk
from elf_builder import build as build_base
from vdso.arch.arch import HIDE, KEEP, REPLACE
from vdso.elf.elf64 import PAGE

from .choices import Choices
from .fuzzed import Fuzzed

OTHER_MACHINE = 21
"""e_machine of an architecture that is none of ours."""


@dataclass(frozen=True)
class Seeds:
    """What the cases of an architecture begin with.

    sound       bases that an image can be made of
    images      those that keep every rule, of ours and of others
    strange     bases that must be refused, that are of another kind, or that nobody relocates
    """

    fuzzed: Fuzzed
    sound: tuple[bytes, ...]
    images: tuple[bytes, ...]
    strange: tuple[bytes, ...]


def seeds(fuzzed: Fuzzed, built: Sequence[bytes]) -> Seeds:
    """Return all that there is to begin with. `built`: images that a build makes."""
    return Seeds(fuzzed, sound(fuzzed), (*images(fuzzed), *built), strange(fuzzed))


def spec(fuzzed: Fuzzed, functions: Sequence[Function]) -> Spec:
    """Return a base of the architecture."""
    arch = fuzzed.arch
    return Spec(
        functions=tuple(functions),
        version=arch.version,
        machine=arch.machine,
        flags=fuzzed.flags[0],
        trap=arch.trap,
        arch=arch,
    )


@cache
def functions(fuzzed: Fuzzed) -> tuple[Function, ...]:
    """Return the exports of a base: those that an image keeps make a system call, the others read a page of Linux's."""
    arch, code = fuzzed.arch, fuzzed.code
    made = [sigreturn(arch.export("rt_sigreturn"), arch)] if arch.sigreturn else []
    for short, size in {"clock_gettime": 608, "gettimeofday": 396, "clock_getres": 116}.items():
        made.append(reader(arch.export(short), size, snippets=code))
    for short in sorted(arch.syscalls.keys() - {f.name.removeprefix(arch.export_prefix) for f in made}):
        name = arch.export(short)
        kept = arch.policy[short] == KEEP
        made.append(system_call(name, arch.syscalls[short], snippets=code) if kept else reader(name, 252, snippets=code))
    return tuple(made)


def real(fuzzed: Fuzzed) -> list[bytes]:
    """Return the vDSOs of Linux that an image can be made of."""
    return [path.read_bytes() for path in bases(f"{fuzzed.arch.name}-linux-*.so") if "cfi" not in path.name]


@cache
def sound(fuzzed: Fuzzed) -> tuple[bytes, ...]:
    """Return bases that an image can be made of."""
    arch, code, own = fuzzed.arch, fuzzed.code, functions(fuzzed)
    clock = thunk(arch.export("clock_gettime"), "local", snippets=code)
    day = thunk(arch.export("gettimeofday"), "local", gap=arch.code_unit, snippets=code)
    named = {f.name: f for f in (clock, day)}
    usual = spec(fuzzed, own)
    specs = (
        usual,
        replace(usual, hashes=("gnu",), sections=False),
        replace(usual, hashes=("sysv",), symtab=True),
        replace(usual, undefined=fuzzed.undefined, eh_frame=False),
        replace(usual, load_size=0x1234),
        replace(usual, covered=bytes(range(0x28)), spare=0, hashes=("gnu",)),
        replace(usual, lld=True, spare=0, first=(PT_PHDR, PT_GNU_STACK), property=True, load_flags=7),
        replace(usual, aliases=tuple(f.name for f in own)),
        spec(
            fuzzed,
            [*(named.get(f.name, f) for f in own), reader("local", 700, export=False, snippets=code)],
        ),
    )
    return (*map(build_base, specs), minimal(arch).read_bytes(), *real(fuzzed))


def served(fuzzed: Fuzzed, target: int) -> Spec:
    """Return an image whose clocks read at image address `target`."""
    arch, code = fuzzed.arch, fuzzed.code
    made = [sigreturn(arch.export("rt_sigreturn"), arch)] if arch.sigreturn else []
    for short, number in arch.syscalls.items():
        if arch.policy[short] == REPLACE:
            made.append(image_builder.served(arch.export(short), number, target, code))
        elif arch.policy[short] != HIDE:
            made.append(system_call(arch.export(short), number, snippets=code))
    return spec(fuzzed, made)


@cache
def images(fuzzed: Fuzzed) -> tuple[bytes, ...]:
    """Return images that keep every rule, of ours and of others."""
    ours, header, after = image_builder.ours, image_builder.HEADER, served(fuzzed, image_builder.DATA)
    others = served(fuzzed, header)
    made = (
        ours(spec=after),
        ours(-PAGE, spec=served(fuzzed, -PAGE)),
        ours(0, spec=others),
        ours(spec=replace(after, eh_frame=False)),
    )
    return (*made, image_builder.foreign(others), minimal(fuzzed.arch).read_bytes())


@cache
def strange(fuzzed: Fuzzed) -> tuple[bytes, ...]:
    """Return bases that must be refused, that are of another kind, or that nobody relocates."""
    usual = spec(fuzzed, functions(fuzzed))
    made = (
        replace(usual, bits=32),
        replace(usual, endian=">"),
        replace(usual, second_load=True),
        replace(usual, relocations=2),
        replace(usual, patched=(usual.functions[0].name,)),
        replace(usual, auxiliary="cf-protection=full"),
        replace(usual, machine=OTHER_MACHINE),
    )
    others = (path.read_bytes() for path in bases() if path.read_bytes() not in sound(fuzzed))
    return (*(build_base(each) for each in made), *others)


def any_spec(fuzzed: Fuzzed, choices: Choices) -> Spec:
    """Choose a base: any size, order and kind of function, with or without each table that may be absent."""
    arch, code = fuzzed.arch, fuzzed.code
    made = [
        _function(f, fuzzed, choices)
        for f in functions(fuzzed)
        if f.name.endswith(("gettime", "sigreturn")) or not choices.chance(6)
    ]
    for i in range(choices.pick((0, 0, 0, 1, 2))):
        body = code.call(arch.syscalls["clock_gettime"]) + code.NOP * choices.below(40) + code.RET
        name = choices.pick((*map(arch.export, (f"extra{i}", "getrandom", "time")), "extra"))
        if name not in [f.name for f in made]:
            made.append(raw(name, body, export=not choices.chance(4)))
    if choices.chance(3):
        first = choices.below(len(made))
        made = made[first:] + made[:first]
    return replace(
        spec(fuzzed, made),
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
        undefined=choices.pick(("", "", fuzzed.undefined)),
        flags=choices.pick(fuzzed.flags),
        soname=choices.pick(("linux-vdso.so.1",) * 8 + ("linux-gate.so.1", "vdso.so")),
        aliases=tuple(f.name for f in made if f.export and f.name.startswith(arch.export_prefix) and choices.chance(8)),
        version=choices.pick((arch.version,) * 8 + ("LINUX_1.0", f"{arch.version}x")),
    )


def _function(function: Function, fuzzed: Fuzzed, choices: Choices) -> Function:
    arch, code, name, gap = fuzzed.arch, fuzzed.code, function.name, choices.pick((0, 0, 2, 6, 64))
    short = arch.short(name)
    if short == "rt_sigreturn":
        return function
    if arch.policy[short] == KEEP or choices.chance(8):
        return system_call(name, choices.pick(tuple(arch.syscalls.values())), gap, code)
    far, least = choices.pick((-0x4000, -0x1000, 0x8000, 0x40)), len(code.read(0, 0) + code.RETURN_ZERO)
    size = least + len(code.NOP) * choices.below(700 // len(code.NOP))
    return replace(reader(name, size, far, gap=gap, snippets=code), cfi=choices.pick(("", "", "zR")))
