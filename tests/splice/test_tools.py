# SPDX-License-Identifier: MIT
"""An image stays what it is, whatever packagers do to the file: each tool that strips or copies leaves all in its place."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from bases import MINIMAL
from fuzz.looker import Looker
from image_builder import Patch
from spliced import REAL, given, spliced
from stub_build import PREFIX, compile_all
from vdso.arch.riscv64.facts import RISCV64
from vdso.elf import elf64
from vdso.image.reader import read_vdso
from vdso.verify import verify

GNU = {
    "strip": (PREFIX + "strip",),
    "strip -g": (PREFIX + "strip", "-g"),
    "strip --strip-unneeded": (PREFIX + "strip", "--strip-unneeded"),
    "objcopy": (PREFIX + "objcopy",),
    "objcopy -S": (PREFIX + "objcopy", "-S"),
}
OTHERS = {
    "eu-strip": ("eu-strip",),
    "llvm-strip": ("llvm-strip",),
    "llvm-strip --strip-all-gnu": ("llvm-strip", "--strip-all-gnu"),
    "llvm-objcopy": ("llvm-objcopy",),
    "llvm-objcopy -S": ("llvm-objcopy", "--strip-all"),
}
BASES = ["minimal", "gnu only", "no unwind", "two pages", "lld, gnu only", *REAL]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return compile_all(tmp_path_factory.mktemp("objects"))


@pytest.fixture(scope="module")
def looker(tmp_path_factory: pytest.TempPathFactory) -> Looker:
    return Looker(tmp_path_factory.mktemp("lookup"), RISCV64)


def image_of(base: str | Path, compiled: list[Path], folder: Path, page: str = "after") -> bytes:
    data = MINIMAL.read_bytes() if base == "minimal" else given(base)
    return spliced(data, compiled, folder, page).image.data


def treated(image: bytes, command: tuple[str, ...], folder: Path) -> bytes:
    """Return what the tool makes of the file."""
    before, after = folder / "vdso.so", folder / "treated.so"
    before.write_bytes(image)
    out = ["-o", after, before] if "strip" in command[0] else [before, after]
    subprocess.run([*command, *out], check=True, capture_output=True)
    return after.read_bytes()


def loaded(image: bytes) -> bytes:
    """Return the load, without what the ELF header says of sections."""
    size = Patch(image).phdr(elf64.PT_LOAD)[1].filesz
    return image[:40] + image[48:58] + image[64:size]


def test_every_tool_is_here() -> None:
    assert [command[0] for command in (*GNU.values(), *OTHERS.values(), ("eu-elflint",)) if not shutil.which(command[0])] == []


@pytest.mark.parametrize("base", BASES, ids=lambda base: getattr(base, "stem", base))
def test_a_tool_leaves_all_in_its_place(base: str | Path, compiled: list[Path], looker: Looker, tmp_path: Path) -> None:
    image = image_of(base, compiled, tmp_path)
    names = list(read_vdso("vdso.so", image, RISCV64).exports)
    found = looker(image, names)
    assert all(len(set(each)) == 1 for each in found.values()), found
    for tool, command in (GNU | OTHERS).items():
        after = treated(image, command, tmp_path)
        if tool in GNU:
            assert after == image, tool
        assert len(after) == len(image), tool
        assert loaded(after) == loaded(image), tool
        assert looker(after, names) == found, tool
        assert verify(after, RISCV64).findings == (), tool


@pytest.mark.parametrize("page", ["before", "none"])
def test_wherever_the_data_page_is(page: str, compiled: list[Path], tmp_path: Path) -> None:
    if page == "none":
        compiled = compile_all(tmp_path, "VDSO_DATA_PAGE_NONE", "VDSO_TIMEBASE_HZ=10000000")
    image = image_of("gnu only", compiled, tmp_path, page)
    for command in (GNU | OTHERS).values():
        assert verify(treated(image, command, tmp_path), RISCV64).findings == ()


def complaints(file: Path) -> set[str]:
    """Return what eu-elflint says of a file, without numbers of sections and segments, and without offsets."""
    shown = subprocess.run(["eu-elflint", "--gnu-ld", file], capture_output=True, text=True, check=False)
    return {re.sub(r"\[ *\d+\]|at offset \d+", "", line) for line in (shown.stdout + shown.stderr).splitlines()} - {"No errors"}


@pytest.mark.parametrize("base", ["minimal", "both", "gnu only", *REAL], ids=lambda base: getattr(base, "stem", base))
def test_elflint_says_nothing_that_it_does_not_say_of_the_base(base: str | Path, compiled: list[Path], tmp_path: Path) -> None:
    before, after = tmp_path / "base.so", tmp_path / "vdso.so"
    before.write_bytes(MINIMAL.read_bytes() if base == "minimal" else given(base))
    after.write_bytes(image_of(base, compiled, tmp_path))
    assert complaints(after) <= complaints(before)
