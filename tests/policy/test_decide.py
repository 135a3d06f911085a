# SPDX-License-Identifier: MIT
"""What becomes of each export, by the architecture's table, by POLICY, and by what its code proves."""

from __future__ import annotations

from pathlib import Path

import pytest
from elf_builder import PREFIX, Spec
from elf_builder import build as build_base
from spliced import spliced
from stub_build import compile_all
from vdso.arch.riscv64.facts import RISCV64
from vdso.errors import VdsoError
from vdso.image.analysis import analyse
from vdso.image.reader import read_vdso
from vdso.policy import decide
from vdso.verify import verify

CLOCK = PREFIX + "clock_gettime"


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return compile_all(tmp_path_factory.mktemp("objects"))


def test_overrides(compiled: list[Path], tmp_path: Path) -> None:
    made = spliced(build_base(Spec()), compiled, tmp_path, overrides="getcpu:syscall,flush_icache:hide")
    policies = {e.short: e.policy for e in made.image.exports}
    assert (policies["getcpu"], policies["flush_icache"]) == ("syscall", "hide")
    getcpu = next(e for e in made.image.exports if e.short == "getcpu")
    assert getcpu.address is not None
    assert analyse(made.image.data, getcpu.address, RISCV64).numbers == {168}
    assert b"flush_icache" not in made.image.data
    assert verify(made.image.data, RISCV64).findings == ()


def test_keep_of_code_that_reads_linux_data_is_refused() -> None:
    base = read_vdso("base.so", build_base(Spec()), RISCV64)
    with pytest.raises(VdsoError, match=r"`riscv_hwprobe:keep` is unsafe: its code at 0x[0-9a-f]+ forms the address -0x"):
        decide.decide(base, {"riscv_hwprobe": "keep"}, {CLOCK: "a", PREFIX + "gettimeofday": "b", PREFIX + "clock_getres": "c"})
