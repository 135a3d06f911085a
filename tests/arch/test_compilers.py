# SPDX-License-Identifier: MIT
"""Which compilers the words of CROSS_COMPILE stand for, and that each family makes a whole image of every architecture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scons_build import build
from vdso.arch import ARCHES
from vdso.arch.arch import Arch
from vdso.arch.compilers import LLVM, Compilers, Flags
from vdso.stubs import toolchain

each = pytest.mark.parametrize("arch", ARCHES.values(), ids=ARCHES)
GNU_FLAGS, LLVM_FLAGS = Flags(("-g",)), Flags(("-l",))
TWO = Compilers(words=("a_b-elf-", LLVM), gnu=GNU_FLAGS, llvm=LLVM_FLAGS)


def programs(word: str) -> list[tuple[str, str]]:
    return [(compiler.cc, compiler.ld) for compiler in TWO.called(word)]


def test_a_prefix() -> None:
    (compiler,) = TWO.called("/opt/x/bin/riscv64-elf-")
    assert (compiler.cc, compiler.ld) == ("/opt/x/bin/riscv64-elf-gcc", "/opt/x/bin/riscv64-elf-ld")
    assert compiler.packages == ("gcc-riscv64-elf", "binutils-riscv64-elf")
    assert compiler.flags is GNU_FLAGS


def test_llvm_is_the_release_that_is_tested_before_any_other() -> None:
    assert programs("llvm")[0] == ("clang-19", "ld.lld-19")
    assert programs("llvm")[-1] == ("clang", "ld.lld")
    assert TWO.called("llvm")[0].packages == ("clang-19", "lld-19")
    assert {compiler.flags for compiler in TWO.called("llvm")} == {LLVM_FLAGS}


def test_llvm_of_a_release_and_in_a_folder() -> None:
    assert programs("llvm-18") == [("clang-18", "ld.lld-18")]
    assert programs("/opt/llvm/bin/llvm-18") == [("/opt/llvm/bin/clang-18", "/opt/llvm/bin/ld.lld-18")]
    assert programs("./llvm")[-1] == ("./clang", "./ld.lld")


@pytest.mark.parametrize("word", ["llvm-", "my-llvm", "llvm-x", "llvm-1.9", "/llvm/bin/x-"])
def test_what_only_looks_like_llvm_is_a_prefix(word: str) -> None:
    assert programs(word) == [(f"{word}gcc", f"{word}ld")]


def test_no_word_is_all_of_the_architecture_in_their_order() -> None:
    assert programs("") == [("a_b-elf-gcc", "a_b-elf-ld"), *programs("llvm")]
    assert TWO.called("")[0].packages == ("gcc-a-b-elf", "binutils-a-b-elf")


@pytest.mark.parametrize(
    ("cc", "flags"),
    [("clang", LLVM_FLAGS), ("/x/clang-19", LLVM_FLAGS), ("gcc", GNU_FLAGS), ("/clang/bin/riscv64-gcc", GNU_FLAGS)],
)
def test_a_compiler_of_the_users_is_known_by_its_name(cc: str, flags: Flags) -> None:
    assert TWO.flags(cc) is flags


def test_both_programs_must_be_there(tmp_path: Path) -> None:
    (arch,) = (arch for arch in ARCHES.values() if arch.name == "riscv64")
    for name in ("clang-19", "clang-18", "ld.lld-18"):
        (tmp_path / name).touch(mode=0o755)
    found = toolchain.find_compiler(arch, "llvm", str(tmp_path))
    assert found is not None
    assert (found.cc, found.ld) == ("clang-18", "ld.lld-18")
    assert toolchain.find_compiler(arch, "llvm-19", str(tmp_path)) is None
    assert "clang-19 and ld.lld-19" in str(toolchain.missing(arch, "llvm-19", str(tmp_path)))
    assert "install clang-19 and lld-19 " in str(toolchain.missing(arch, "llvm", "/nonexistent"))
    assert f"install {arch.compilers.called('')[0].packages[0]} and " in str(toolchain.missing(arch, "absent-", "/nonexistent"))


@each
def test_clang_and_lld_make_an_image_of_each(arch: Arch, tmp_path: Path) -> None:
    """With all rules held, and the programs named."""
    out = build(tmp_path, "BASE=minimal", f"ARCH={arch.name}", "CROSS_COMPILE=llvm")
    facts = json.loads((out / "vdso.json").read_text())
    assert {"clang", "lld"} <= facts["tools"].keys()
    assert not {"gcc", "ld", "cc1", "as"} & facts["tools"].keys()
    assert facts["rules"] > 80
    assert facts["arch"] == arch.name
