# SPDX-License-Identifier: MIT
"""The bases that reports are made of in tests, and what such a report must say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from bases import bases
from elf_builder import FUNCTIONS, Spec, raw, reader, sigreturn, system_call, thunk
from elf_builder import build as build_base
from scons_build import scons
from vdso.arch.riscv64.facts import RISCV64
from vdso.image.model import Vdso
from vdso.image.reader import read_vdso

HOSTILE = "<script>alert(1)</script>"
# Names of functions are whatever the maker of a base wanted.
NASTY = build_base(
    Spec(functions=(*FUNCTIONS, *(raw(f"__vdso_{name}", b"\x82\x80") for name in (HOSTILE, '"><img src=x>&amp;\x1b[31m'))))
)
LOCAL = (
    sigreturn(),
    thunk("__vdso_clock_gettime", "local_gettime"),
    thunk("__vdso_gettimeofday", "local_gettimeofday"),
    reader("local_gettime", 600, export=False),
    reader("local_gettimeofday", 300, export=False),
    reader("__vdso_clock_getres", 118),
    system_call("__vdso_getcpu", 168),
)
# Name to (base, more words): minimal, what the tests make themselves, and each real one that there is.
CASES: dict[str, tuple[bytes | str, tuple[str, ...]]] = {
    "minimal": ("minimal", ("DATA_PAGE=none", "TIMEBASE_HZ=10000000")),
    "thunks": (build_base(Spec(functions=LOCAL)), ("DATA_PAGE=before", "COUNTER=mmio:0xff8", "POLICY=getcpu:hide")),
    **{path.stem: (str(path), ()) for path in bases("riscv64*.so") if "cfi" not in path.name},
}


@dataclass(frozen=True)
class Made:
    """A built report, and what it must say, from vdso.json and the bytes."""

    out: Path
    facts: dict
    words: tuple[str, ...]

    @property
    def page(self) -> Path:
        return self.out / "report.html"

    @property
    def blob(self) -> bytes:
        return (self.out / "vdso.so").read_bytes()

    @property
    def base(self) -> bytes:
        return (self.out / "base.so").read_bytes()

    @property
    def model(self) -> Vdso:
        return read_vdso("base.so", self.base, RISCV64)

    @property
    def replaced(self) -> list[dict]:
        return [export for export in self.facts["exports"] if export["policy"] in ("replace", "syscall")]


def make(folder: Path, base: bytes | str, *words: str) -> Made:
    if isinstance(base, bytes):
        (folder / "given.so").write_bytes(base)
        base = str(folder / "given.so")
    out = folder / "out"
    words = (f"BASE={base}", f"OUT={out}", *words)
    done = scons("report", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "  REPORT  " in done.stdout
    return Made(out, json.loads((out / "vdso.json").read_text()), words)
