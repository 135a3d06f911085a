# SPDX-License-Identifier: MIT
"""The code of the stubs on its way into the image: where ld put it, and what may not be in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from elf_builder import Spec, build
from spliced import Made, spliced
from stub_build import compile_all
from vdso.arch.effects import Effect, KernelState
from vdso.arch.riscv64.facts import RISCV64
from vdso.errors import VdsoError
from vdso.image.analysis import analyse
from vdso.place.linked import Linked
from vdso.splice.stub_code import code_patches, refuse_stubs

DECODE = RISCV64.decode
RDTIME, ANY_REGISTER = 0xC0102073, 31 << 7


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("stubs")
    return spliced(build(Spec()), compile_all(folder), folder)


def changed(made: Made, change: Callable[[int, bytes], tuple[int, bytes]]) -> Linked:
    """Return the linked stubs with another first unit."""
    first, *rest = made.linked.units
    return Linked((change(*first), *rest))


def reads_state(code: bytes, at: int) -> tuple[int, Effect] | None:
    """Decode as riscv64 does, but take a read of the counter for a read of what a kernel sets."""
    counter = int.from_bytes(code[at : at + 4], "little") & ~ANY_REGISTER == RDTIME
    return (4, KernelState(("a0",), ())) if counter else DECODE(code, at)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda at, data: (at + 2, data), "linked at 0x{moved:x} with 0x{size:x} bytes, planned at 0x{at:x} with 0x{size:x}"),
        (lambda at, data: (at, data + b"\0\0"), "linked at 0x{at:x} with 0x{longer:x} bytes, planned at 0x{at:x} with"),
        (lambda at, data: (at, data[:-2]), "linked at 0x{at:x} with 0x{shorter:x} bytes, planned at 0x{at:x} with"),
    ],
    ids=["elsewhere", "longer", "shorter"],
)
def test_code_that_is_not_as_planned(made: Made, change: Callable[[int, bytes], tuple[int, bytes]], what: str) -> None:
    at, size = made.plan.units[0].address, made.plan.units[0].size
    said = what.format(at=at, size=size, moved=at + 2, longer=size + 2, shorter=size - 2)
    with pytest.raises(VdsoError) as caught:
        code_patches(made.plan, changed(made, change))
    assert said in str(caught.value)
    assert caught.value.file == made.plan.units[0].source
    assert caught.value.todo == "use gcc and ld of the same toolchain"


def test_sound_code_passes(made: Made) -> None:
    refuse_stubs(made.plan, made.linked, RISCV64)
    assert sorted(patch.start for patch in code_patches(made.plan, made.linked)) == sorted(u.address for u in made.plan.units)


def test_a_stub_that_reads_what_a_kernel_sets(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(RISCV64), "decode", reads_state)
    analyse.cache_clear()
    with pytest.raises(VdsoError, match="reads a register that only a kernel sets, beside the data page") as caught:
        refuse_stubs(made.plan, made.linked, RISCV64)
    analyse.cache_clear()
    assert caught.value.todo == "read from the data page or make a system call"
