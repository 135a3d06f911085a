# SPDX-License-Identifier: MIT
"""Who is told of an image that breaks a rule: the user whose function it is, the base that breaks it too, or we."""

from __future__ import annotations

from pathlib import Path

import pytest
from elf_builder import Spec
from elf_builder import build as build_base
from image_builder import Patch
from linked_code import compile_source
from spliced import USERS, spliced
from stub_build import compile_all
from vdso import pipeline
from vdso.arch.riscv64.facts import RISCV64
from vdso.elf import elf64
from vdso.errors import VdsoError

HARMLESS = "long __vdso_getcpu(void) { return 7; }\n"
NEVER_ASKS = "long __vdso_clock_getres(int clock, void *to) { return clock && to ? -1 : 0; }\n"
"""Answers by itself what only the kernel knows: a rule of verify."""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return compile_all(tmp_path_factory.mktemp("objects"))


def users(folder: Path, *sources: str) -> list[Path]:
    made = []
    for index, text in enumerate(sources):
        source = folder / f"source{index}.c"
        source.write_text(text)
        made.append(compile_source(source, folder / f"{USERS}{index}.o"))
    return made


def refuse_clock_getres(compiled: list[Path], folder: Path, *sources: str) -> str:
    """Return what is said of an image with these functions of the user in place of ours."""
    ours = [path for path in compiled if path.name != "clock_getres.o"]
    with pytest.raises(VdsoError) as caught:
        spliced(build_base(Spec()), [*ours, *users(folder, *sources)], folder)
    assert "__vdso_clock_getres never makes system call" in caught.value.what
    assert caught.value.todo == "docs/user-functions.md tells what a function must do"
    return caught.value.file


def test_a_users_function_that_breaks_a_rule_is_told_of_its_source(compiled: list[Path], tmp_path: Path) -> None:
    assert refuse_clock_getres(compiled, tmp_path, NEVER_ASKS) == f"{USERS}0.o"


def test_a_harmless_function_is_not_blamed_for_anothers(compiled: list[Path], tmp_path: Path) -> None:
    assert refuse_clock_getres(compiled, tmp_path, HARMLESS, NEVER_ASKS) == f"{USERS}1.o"


def test_what_the_base_breaks_is_told_of_the_base(compiled: list[Path], tmp_path: Path) -> None:
    patch = Patch(build_base(Spec(sections=False)))
    patch.set(elf64.DT_SONAME, patch.string("LINUX_4.15"))
    with pytest.raises(VdsoError, match=r"^base\.so: no sound image can be made of it: .*soname is LINUX_4\.15"):
        spliced(patch.image, compiled, tmp_path)


def test_what_only_we_can_have_broken_is_a_bug(compiled: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = pipeline.splice

    def wrong(*arguments: object) -> object:
        made = real(*arguments)  # type: ignore[arg-type]
        patch = Patch(made.image)
        patch.set(elf64.DT_SONAME, patch.string("LINUX_4.15"))
        return type(made)(patch.image, made.changes, made.exports)

    monkeypatch.setattr(pipeline, "splice", wrong)
    with pytest.raises(AssertionError, match=r"image\.so breaks rules that its base keeps: .*soname is LINUX_4\.15"):
        spliced(build_base(Spec()), compiled, tmp_path)


def test_a_base_is_taken_out_of_what_holds_it_and_looked_at_at_once() -> None:
    data = build_base(Spec(sections=False))
    assert pipeline.base_in("kernel", bytes(0x1000) + data + bytes(0x1000), RISCV64) == data
    with pytest.raises(VdsoError, match=r"^kernel: has __vdso_getrandom undefined"):
        pipeline.base_in("kernel", build_base(Spec(undefined="__vdso_getrandom")), RISCV64)
