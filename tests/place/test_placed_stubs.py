# SPDX-License-Identifier: MIT
"""Where the stubs of vdso_src go: each kind of room, and how many pages an image takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from elf_builder import PREFIX, Function, Spec, thunk
from elf_builder import build as build_base
from spliced import REAL, SYNTHETIC, Made, given, plain_code, spliced, with_functions
from stub_build import compile_all
from vdso.arch.riscv64.facts import RISCV64
from vdso.image.reader import read_vdso
from vdso.verify import verify

CLOCK = PREFIX + "clock_gettime"
SMALL = 24
"""Bytes that no stub of 64-bit code fits into."""


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return compile_all(tmp_path_factory.mktemp("objects"))


@pytest.fixture(
    params=[(b, p) for b in (*SYNTHETIC, *REAL) for p in ("after", "before")],
    ids=lambda p: f"{getattr(p[0], 'name', p[0])}-{p[1]}",
)
def made(request: pytest.FixtureRequest, compiled: list[Path], tmp_path: Path) -> Made:
    which, page = request.param
    return spliced(given(which), compiled, tmp_path, page)


def test_pages_are_no_more_than_the_base_has(made: Made) -> None:
    assert made.plan.size <= -(-len(made.base.file) // 4096) * 4096
    assert made.plan.data_offset in (made.plan.size, -4096)


def how(made: Made, name: str = "clock_gettime") -> str:
    return next(e.placement for e in made.image.exports if e.short == name)


def test_in_its_slot(compiled: list[Path], tmp_path: Path) -> None:
    made = spliced(build_base(Spec()), compiled, tmp_path)
    export = next(e for e in made.image.exports if e.short == "clock_gettime")
    assert (export.placement, export.address) == ("slot", export.base_address)


def test_in_another_freed_slot(compiled: list[Path], tmp_path: Path) -> None:
    spec = with_functions(plain_code(CLOCK, SMALL), plain_code(PREFIX + "getrandom", 500))
    made = spliced(build_base(spec), compiled, tmp_path)
    assert how(made) == "freed slot"
    assert how(made, "getrandom") == ""


def test_in_dead_local_code(compiled: list[Path], tmp_path: Path) -> None:
    """As in Linux 6.8: the export is a thunk of 22 bytes, the code a local function that nothing else reaches."""
    small = (plain_code(PREFIX + name, SMALL) for name in ("gettimeofday", "clock_getres", "riscv_hwprobe"))
    spec = with_functions(thunk(CLOCK, "local"), *small, plain_code("local", 600, export=False))
    assert how(spliced(build_base(spec), compiled, tmp_path)) == "dead code"


def small_functions(*others: Function) -> Spec:
    names = ("clock_gettime", "gettimeofday", "clock_getres", "riscv_hwprobe")
    return with_functions(*(plain_code(PREFIX + name, SMALL) for name in names), *others)


def test_in_the_tail(compiled: list[Path], tmp_path: Path) -> None:
    made = spliced(build_base(small_functions()), compiled, tmp_path)
    assert how(made) == "tail"
    assert made.plan.size == 4096


def test_in_a_new_page(compiled: list[Path], tmp_path: Path) -> None:
    """A function that is kept fills the page."""
    made = spliced(build_base(small_functions(plain_code(PREFIX + "getcpu", 2432))), compiled, tmp_path)
    assert len(made.base.data) < 4096
    assert made.plan.size == 8192
    assert "new page" in {e.placement for e in made.image.exports}
    assert verify(made.image.data, RISCV64).findings == ()


def test_no_function_ends_where_rt_sigreturn_starts(made: Made) -> None:
    start = made.base.exports[PREFIX + "rt_sigreturn"].value
    assert all(unit.address + unit.size != start for unit in made.plan.units)
    assert all(fde.end != start for fde in read_vdso("vdso.so", made.image.data, RISCV64).fdes)
