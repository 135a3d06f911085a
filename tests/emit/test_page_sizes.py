# SPDX-License-Identifier: MIT
"""PAGE_SIZE: image, data page and constants for kernels with larger pages, and who is told of it at compile time."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from scons_build import build
from vdso.arch import ARCHES
from vdso.verify import verify

ARCH = ARCHES["loongarch64"]
LARGEST = max(ARCH.page_sizes)
RUST = """
#![allow(dead_code)]
#[path = "{out}/vdso.rs"]
mod vdso;
static PAGE: vdso::VdsoDataPage = vdso::VdsoDataPage::new();
fn main() {{
    println!("{{}} {{}} {{}}", vdso::PAGE_SIZE, core::mem::size_of_val(&PAGE), core::mem::align_of_val(&PAGE));
    println!("{{}} {{}}", core::mem::align_of_val(&vdso::IMAGE), core::mem::size_of_val(&vdso::IMAGE) / vdso::IMAGE_PAGES);
}}
"""
C = """
#include <stdio.h>
#define VDSO_IMPLEMENTATION
#include "vdso.h"
static union vdso_data_page page;
int main(void)
{
	printf("%d %zu %zu\\n", VDSO_PAGE_SIZE, sizeof(page), __alignof__(page));
	printf("%d %d\\n", (int)((unsigned long)vdso_image % VDSO_PAGE_SIZE), VDSO_IMAGE_SIZE / VDSO_IMAGE_PAGES);
	return 0;
}
"""


@pytest.fixture(scope="module", params=[(4096, "before"), (16384, "after"), (65536, "before")], ids=str)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str, Path]:
    size, page = request.param
    out = tmp_path_factory.mktemp(f"{page}-{size}")
    return size, page, build(out, "BASE=minimal", f"ARCH={ARCH.name}", f"PAGE_SIZE={size}", f"DATA_PAGE={page}")


def run(*command: str | Path, text: str = "") -> str:
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def test_image_and_data_page_are_whole_pages(made: tuple[int, str, Path]) -> None:
    size, page, out = made
    image = (out / "vdso.so").read_bytes()
    facts = json.loads((out / "vdso.json").read_text())
    assert len(image) == size, "one page is enough"
    assert facts["page_size"] == size
    assert facts["data_offset"] == {"after": len(image), "before": -size}[page]
    load, *_ = ELFFile(io.BytesIO(image)).iter_segments("PT_LOAD")
    assert len(image) - 4096 < load["p_filesz"] == load["p_memsz"] < len(image)
    assert load["p_align"] >= size
    assert load["p_align"] & load["p_align"] - 1 == 0
    assert verify(image, ARCH).findings == ()


def test_header_and_module_have_pages_of_that_size(made: tuple[int, str, Path], tmp_path: Path) -> None:
    size, _, out = made
    run("gcc", "-Wall", "-Wextra", "-Werror", "-I", out, "-x", "c", "-", "-o", tmp_path / "c", text=C)
    assert run(tmp_path / "c") == f"{size} {size} {size}\n0 {size}\n"
    source = tmp_path / "main.rs"
    source.write_text(RUST.format(out=out))
    run("rustc", "-Dwarnings", "--edition=2021", "-o", tmp_path / "rust", source)
    assert run(tmp_path / "rust") == f"{size} {size} {size}\n{size} {size}\n"


def test_the_assembly_lies_on_pages_of_its_own(made: tuple[int, str, Path], tmp_path: Path) -> None:
    size, _, out = made
    run("gcc", "-c", out / "vdso.S", "-o", tmp_path / "vdso.o")
    section = ELFFile(io.BytesIO((tmp_path / "vdso.o").read_bytes())).get_section_by_name(".rodata.vdso_image")
    assert section["sh_addralign"] == size


def test_a_kernel_of_larger_pages_is_told(made: tuple[int, str, Path]) -> None:
    """By the preprocessor, before anything is compiled; one of smaller or the same pages is not."""
    size, _, out = made
    for kernels in (4096, 16384, 65536):
        command = ["gcc", "-fsyntax-only", f"-DVDSO_PAGE_SIZE={kernels}", "-I", out, "-x", "c", "-"]
        source = f'#include "vdso.h"\n_Static_assert(VDSO_PAGE_SIZE == {size}, "the image\'s own");\n'
        done = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
        assert (done.returncode == 0) == (kernels <= size), done.stderr
        assert kernels <= size or f"pages of {size} bytes at most" in done.stderr
