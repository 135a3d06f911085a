# SPDX-License-Identifier: MIT
"""Images made in this process: `vdso.pipeline` around a real ld, and the bases to make them of."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from arch.riscv64 import snippets
from arch.riscv64.snippets import NOP, RET
from bases import bases
from elf_builder import FUNCTIONS, PT_GNU_RELRO, PT_GNU_STACK, PT_PHDR, Function, Spec, build, raw
from stub_build import PREFIX
from vdso import pipeline
from vdso.arch.riscv64.facts import RISCV64
from vdso.data_page import DataPage
from vdso.emit.blob import Image
from vdso.image.model import Vdso
from vdso.place.linked import Linked, linker_script, read_linked
from vdso.place.plan import Plan, plan_from_json
from vdso.policy.decide import parse_policy
from vdso.stubs import toolchain
from vdso.stubs.objects import Object, read_object

CALL = snippets.call(113)
USERS = "extra"
"""How the names of object files begin that are made of a user's source."""


@dataclass(frozen=True)
class Made:
    """An image and all that it came from. `elf`: the bytes of stubs.elf."""

    base: Vdso
    plan: Plan
    linked: Linked
    elf: bytes
    image: Image


def read_objects(compiled: Sequence[Path]) -> list[Object]:
    """Return the object files; those whose names begin with USERS are the user's."""
    return [read_object(p.name, p.read_bytes(), p.name, p.name.startswith(USERS), RISCV64) for p in compiled]


def link(plan: Plan, compiled: Sequence[Path], folder: Path) -> bytes:
    """Return stubs.elf as ld makes it of a plan."""
    (folder / "stubs.ld").write_text(linker_script(plan))
    command = [f"{PREFIX}ld", *toolchain.LDFLAGS, "-T", folder / "stubs.ld", "-o", folder / "stubs.elf", *compiled]
    subprocess.run(command, check=True, capture_output=True)
    return (folder / "stubs.elf").read_bytes()


def plan_of(data: bytes, compiled: Sequence[Path], page: str = "after", overrides: str = "") -> Plan:
    """Return the plan for a base of the bytes `data`. `page` and `overrides`: DATA_PAGE and POLICY."""
    base = pipeline.base("base.so", data, RISCV64)
    return pipeline.plan(base, read_objects(compiled), parse_policy(overrides, RISCV64), DataPage(page))


def spliced(data: bytes, compiled: Sequence[Path], folder: Path, page: str = "after", overrides: str = "") -> Made:
    """Take a base of the bytes `data` the whole way."""
    base = pipeline.base("base.so", data, RISCV64)
    plan = plan_of(data, compiled, page, overrides)
    assert plan_from_json(plan.to_json()) == plan
    elf = link(plan, compiled, folder)
    linked = read_linked("stubs.elf", elf, plan)
    return Made(base, plan, linked, elf, pipeline.image(base, plan, linked, DataPage(page), "image.so"))


def plain_code(name: str, size: int, export: bool = True) -> Function:
    """Make a function that reads nothing outside: a system call and a return, then nops."""
    return raw(name, CALL + NOP * ((size - len(CALL) - len(RET)) // 2) + RET, export=export)


def with_functions(*made: Function) -> Spec:
    """Return the usual base with these functions, in place of those of the same name or added."""
    named = {f.name: f for f in made}
    return Spec(functions=tuple(named.pop(f.name, f) for f in FUNCTIONS) + tuple(named.values()))


SYNTHETIC = {
    "both": Spec(),
    "gnu only": Spec(hashes=("gnu",)),
    "sysv only": Spec(hashes=("sysv",)),
    "no sections": Spec(sections=False),
    "undefined symbol": Spec(undefined="riscv_isa_ext_keys"),
    "no unwind": Spec(eh_frame=False),
    "symtab": Spec(symtab=True),
    "two pages": Spec(load_size=0x1234),
    "PT_DYNAMIC covers 8 bytes more": Spec(covered=b"\x88\3\0\0\0\0\0\0", spare=0),
    "PT_DYNAMIC covers a table": Spec(covered=bytes(range(1, 0x61)), hashes=("gnu",)),
    "PT_DYNAMIC covers zeros": Spec(covered=bytes(0x30), hashes=("gnu",), spare=0),
    "gnu only, nothing to spare": Spec(hashes=("gnu",), spare=0),
    "sysv only, nothing to spare": Spec(hashes=("sysv",), spare=0),
    "lld": Spec(lld=True, spare=0),
    "lld, gnu only": Spec(lld=True, spare=0, hashes=("gnu",)),
    "headers before the load": Spec(first=(PT_PHDR, PT_GNU_STACK, PT_GNU_RELRO)),
    "a property note": Spec(property=True),
    "relocations": Spec(relocations=2),
    "relocations, nothing to spare": Spec(relocations=1, hashes=("gnu",), spare=0, sections=False),
    "no notes": Spec(linux=None, build_id=None),
    "a writable load": Spec(load_flags=7),
    "a short symbol": Spec(functions=(replace(FUNCTIONS[0], short=2), *FUNCTIONS[1:]), linux=None),
    "a nop before rt_sigreturn": Spec(functions=(*FUNCTIONS[1:], replace(FUNCTIONS[0], gap=2, lead=2))),
    "aliases": Spec(aliases=tuple(RISCV64.export_prefix + name for name in ("clock_gettime", "getcpu", "riscv_hwprobe"))),
    "no clock": Spec(functions=tuple(f for f in FUNCTIONS if f.name.endswith(("sigreturn", "getcpu", "icache"))), linux=None),
}
REAL = [path for path in bases("riscv64*.so") if "cfi" not in path.name]


def given(which: str | Path) -> bytes:
    """Return the bytes of one of SYNTHETIC or REAL."""
    return which.read_bytes() if isinstance(which, Path) else build(SYNTHETIC[which])
