# SPDX-License-Identifier: MIT
"""The synthetic bases are ELF files that GNU readelf has nothing against: tests that use them test our code."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from elf_builder import (
    FUNCTIONS,
    PREFIX,
    PT_GNU_STACK,
    PT_PHDR,
    Spec,
    assemble,
    landing_pad,
    reader,
    sigreturn,
    thunk,
)

READELF = shutil.which("riscv64-linux-gnu-readelf") or shutil.which("readelf")
SPECS = {
    "default": Spec(),
    "gnu": Spec(hashes=("gnu",)),
    "sysv": Spec(hashes=("sysv",)),
    "sectionless": Spec(sections=False),
    "symtab": Spec(symtab=True),
    "two pages": Spec(load_size=0x1800),
    "undefined": Spec(undefined="riscv_isa_ext_keys"),
    "relocations": Spec(relocations=2),
    "patched": Spec(patched=(PREFIX + "getcpu", PREFIX + "clock_gettime")),
    "aliases": Spec(aliases=(PREFIX + "getcpu", PREFIX + "clock_gettime")),
    "auxiliary": Spec(auxiliary="cf-protection=full"),
    "two loads": Spec(second_load=True),
    "32-bit": Spec(bits=32),
    "big-endian": Spec(endian=">"),
    "PT_DYNAMIC covers .got": Spec(covered=b"\x88\3\0\0\0\0\0\0"),
    "lld": Spec(lld=True, spare=0),
    "more headers": Spec(first=(PT_PHDR, PT_GNU_STACK), property=True, load_flags=7),
    "bare": Spec(eh_frame=False, linux=None, build_id=None, section_symbol=False, spare=0),
    "thunk": Spec(functions=(sigreturn(), thunk("__vdso_clock_gettime", "local"), reader("local", 900, export=False))),
    "landing pads": Spec(functions=tuple(map(landing_pad, FUNCTIONS))),
}


@pytest.mark.skipif(READELF is None, reason="no readelf on this machine")
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_readelf_is_content(spec: Spec, tmp_path: Path) -> None:
    built = assemble(spec)
    path = tmp_path / "base.so"
    path.write_bytes(built.data)
    shown = subprocess.run([str(READELF), "-aW", str(path)], capture_output=True, text=True, check=True)
    assert shown.stderr == ""
    for f in spec.functions:
        if f.export and spec.sections:
            assert f"{built.functions[f.name][0]:x}".zfill(8) in shown.stdout
            assert f"{f.name}@@LINUX_4.15" in shown.stdout


def test_functions_lie_where_it_says() -> None:
    built = assemble(Spec())
    at, size = built.functions["__vdso_getcpu"]
    assert built.data[at : at + size] == bytes.fromhex("9308800a 73000000 8280")
    at, size = built.functions["__vdso_rt_sigreturn"]
    assert built.data[at : at + size] == bytes.fromhex("9308b008 73000000")
