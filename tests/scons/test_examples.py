# SPDX-License-Identifier: MIT
"""The examples of builds: each makes a kernel from a fresh copy, then nothing, then what a change calls for and no more."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import kernel_builds
import pytest
from checkout import fresh, with_scons_at_hand
from elf_builder import Spec
from elf_builder import build as build_base
from elftools.elf.elffile import ELFFile
from repository import ROOT

PAGE = 4096
BUILD_CODE = {
    "scons": ("scons/SConstruct", "scons/rtconfig.py", "scons/vdso/SConscript", "kernel-c/SConscript"),
    "make": ("kernel-c/Makefile",),
    "cmake": ("cmake/CMakeLists.txt", "cmake/riscv64.cmake"),
    "cargo": ("cargo/Cargo.toml", "cargo/build.rs"),
}
VDSO = {"vdso.so", "vdso.h", "vdso.rs", "vdso.S", "vdso.json"}
ALL = {*VDSO, "kernel.elf"}


class System(ABC):
    """A build system at work on its example, in a copy of the checkout. `base` and `load_addr` are what it is asked for."""

    def __init__(self, folder: Path) -> None:
        parts = (
            "cmake",
            "examples",
            "site_scons",
            "templates",
            "vdso_src",
            "SConstruct",
            "SConscript",
            "requirements.txt",
            "sconsw",
        )
        self.tree = with_scons_at_hand(fresh(folder, *parts))
        self.base = folder / "base.so"
        self.base.write_bytes(build_base(Spec()))
        self.load_addr = "0x300000000"

    @property
    @abstractmethod
    def out(self) -> Path:
        """Return the folder of everything that is made."""

    @property
    def kernel(self) -> Path:
        return self.out / "kernel.elf"

    @abstractmethod
    def build(self) -> str:
        """Build, and return what was printed."""

    def run(self, *words: object, cwd: str, **environ: str) -> str:
        clean = {name: value for name, value in os.environ.items() if name not in ("SCONSFLAGS", "MAKEFLAGS", "VDSO", "BASE")}
        command = [str(word) for word in words]
        folder = self.tree / "examples" / cwd
        done = subprocess.run(command, cwd=folder, env={**clean, **environ}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def times(self) -> dict[str, int]:
        """Name to time of last change of the objects, the kernel and the outputs of scons-vdso."""
        files = [path for path in self.out.rglob("*.*") if path.name in ALL or path.suffix in (".o", ".obj")]
        files = [path for path in files if path.parent.name != "work"]
        return {re.sub(r"(\.[cS])?\.o(bj)?$", ".o", path.name): path.stat().st_mtime_ns for path in files}

    def made_anew(self) -> set[str]:
        """Build, and return the names of the files that were made anew."""
        before = self.times()
        self.build()
        return {name for name, time in self.times().items() if before.get(name) != time}

    def edit(self, name: str, old: str, new: str) -> None:
        kernel_builds.patch(self.tree, {name: (old, new)})


class SCons(System):
    @property
    def out(self) -> Path:
        return self.tree / "examples" / "scons" / "build"

    def build(self) -> str:
        words = (f"BASE={self.base}", f"VDSO_LOAD_ADDR={self.load_addr}")
        return self.run(sys.executable, "-m", "SCons", "-Q", *words, cwd="scons")


class Make(System):
    @property
    def out(self) -> Path:
        return self.tree / "examples" / "kernel-c" / "build"

    def build(self) -> str:
        return self.run("make", f"BASE={self.base}", f"VDSO_WORDS=LOAD_ADDR={self.load_addr}", cwd="kernel-c")


class CMake(System):
    generator = "Ninja"

    @property
    def out(self) -> Path:
        return self.tree / "examples" / "cmake" / "build"

    def build(self) -> str:
        settings = (f"-DVDSO_BASE={self.base}", f"-DVDSO_WORDS=LOAD_ADDR;{self.load_addr}")
        self.run("cmake", "-B", "build", "-G", self.generator, "--toolchain", "riscv64.cmake", *settings, cwd="cmake")
        return self.run("cmake", "--build", "build", cwd="cmake")


class CMakeMake(CMake):
    generator = "Unix Makefiles"


class Cargo(System):
    """With the toolchain that the other kernel in Rust finds, and the `core` that was compiled for that."""

    def __init__(self, folder: Path, **environ: str) -> None:
        super().__init__(folder)
        kernel_builds.kernel("rust")
        scons = folder / "scons, ö"
        shutil.copy(folder / "sconsw", scons)
        self.environ = environ or {"SCONS": str(scons)}
        self._toolchain = toolchain()

    @property
    def out(self) -> Path:
        return Path(os.environ["CARGO_TARGET_DIR"]) / self._toolchain.target / "release"

    @property
    def kernel(self) -> Path:
        return self.out / "hello"

    def times(self) -> dict[str, int]:
        return {"hello": self.kernel.stat().st_mtime_ns} if self.kernel.exists() else {}

    def build(self) -> str:
        own = self._toolchain
        words = (own.cargo, "build", "--release", "--locked", "--target", own.target, *own.words)
        settings = {"BASE": str(self.base), "VDSO_WORDS": f"LOAD_ADDR={self.load_addr}"}
        return self.run(*words, cwd="cargo", **own.environment, **settings, **self.environ)


def toolchain() -> Any:
    loader = SourceFileLoader("kernel_rust_build", str(ROOT / "examples" / "kernel-rust" / "build"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = sys.modules[loader.name] = module_from_spec(spec)
    loader.exec_module(module)
    return module.choose()


def check_kernel(elf: bytes, image: bytes, image_symbol: str, page_symbol: str) -> None:
    """Check that the kernel holds the image unchanged, and that image and data page lie on pages of their own."""
    file = ELFFile(io.BytesIO(elf))
    symbols = [symbol for symbol in file.get_section_by_name(".symtab").iter_symbols() if symbol["st_size"]]
    (at,) = {symbol["st_value"] for symbol in symbols if re.search(image_symbol, symbol.name)}
    (page,) = {symbol["st_value"] for symbol in symbols if re.search(page_symbol, symbol.name)}
    assert (at % PAGE, page % PAGE) == (0, 0)
    (segment,) = (s for s in file.iter_segments("PT_LOAD") if s["p_vaddr"] <= at < s["p_vaddr"] + s["p_filesz"])
    offset = at - segment["p_vaddr"]
    assert segment.data()[offset : offset + len(image)] == image
    for symbol in symbols:
        start, end = symbol["st_value"], symbol["st_value"] + symbol["st_size"]
        if start not in (at, page):
            assert end <= at or start >= at + len(image), symbol.name
            assert end <= page or start >= page + PAGE, symbol.name


def check_c(system: System) -> None:
    (image,) = system.out.rglob("vdso.so")
    check_kernel(system.kernel.read_bytes(), image.read_bytes(), "^vdso_image$", "^page$")


STUB = "vdso_src/clock_getres.c"
COMMENT = (STUB, "A NULL `res` is legal", "NULL is legal")
CODE = (STUB, "\tif (res) {", '\t__asm__ volatile("nop");\n\tif (res) {')
TEMPLATE = ("templates/vdso.h.j2", "do not edit", "do never edit")


def follow_changes(system: System, by_time: bool) -> None:
    """Check that the build follows each change. `by_time`: it links again also if an object came out unchanged."""
    user = {"vdso_kernel.o", "kernel.elf"}  # what includes vdso.h, and what that goes into
    assert system.made_anew() >= VDSO | user | {"boot.o", "main.o"}
    check_c(system)
    assert system.made_anew() == set()

    system.edit(*COMMENT)
    assert system.made_anew() == {"vdso.json"}  # which tells of each source
    system.edit(*CODE)
    assert system.made_anew() == VDSO | user
    check_c(system)
    system.edit(*TEMPLATE)
    assert system.made_anew() == {"vdso.h", "vdso.json", "vdso_kernel.o"} | ({"kernel.elf"} if by_time else set())
    system.base.write_bytes(build_base(Spec(hashes=("gnu",))))
    assert system.made_anew() == VDSO | user
    check_c(system)
    system.load_addr = "0x280000000"
    assert system.made_anew() - {"vdso.S"} == VDSO - {"vdso.so", "vdso.S"} | user
    system.edit("examples/kernel-c/main.c", "SPDX", "Yes: SPDX")
    assert system.made_anew() - {"kernel.elf"} == {"main.o"}
    assert system.made_anew() == set()


@pytest.mark.parametrize("system", [SCons, CMake])
def test_what_changes_is_built_and_nothing_else(system: type[System], tmp_path: Path) -> None:
    follow_changes(system(tmp_path / "ein Ördner"), by_time=system is not SCons)


def test_make(tmp_path: Path) -> None:
    """In a folder without spaces, which make can't have."""
    follow_changes(Make(tmp_path / "Ördner"), by_time=True)


def test_the_other_generator_of_cmake(tmp_path: Path) -> None:
    system = CMakeMake(tmp_path / "ein Ördner")
    assert system.made_anew() >= VDSO | {"kernel.elf"}
    check_c(system)
    assert system.made_anew() == set()
    system.load_addr = "0x280000000"
    assert system.made_anew() - {"vdso.S"} == VDSO - {"vdso.so", "vdso.S"} | {"vdso_kernel.o", "kernel.elf"}
    assert system.made_anew() == set()


def test_a_makefile_that_asks_once_is_found_out(tmp_path: Path) -> None:
    """That is, what the tests above ask for is not so by itself."""
    system = Make(tmp_path / "Ördner")
    system.edit("examples/kernel-c/Makefile", "$(vdso_h): FORCE", "$(vdso_h):")
    system.build()
    system.load_addr = "0x280000000"
    assert system.made_anew() == set()


@pytest.mark.xdist_group("qemu")  # with the others that need a `core`, which is compiled once
def test_cargo_calls_the_scons_that_it_is_told(tmp_path: Path) -> None:
    system = Cargo(tmp_path / "ein Ördner")
    assert system.made_anew() == {"hello"}
    (image,) = system.out.glob("build/hello-*/out/made/vdso.so")
    check_kernel(system.kernel.read_bytes(), image.read_bytes(), "5IMAGE", "4PAGE")
    assert system.made_anew() == set()
    for change in (CODE, ("templates/vdso.rs.j2", "do not edit", "do never edit")):
        system.edit(*change)
        assert system.made_anew() == {"hello"}
    check_kernel(system.kernel.read_bytes(), image.read_bytes(), "5IMAGE", "4PAGE")
    system.base.write_bytes(build_base(Spec(hashes=("gnu",))))
    assert system.made_anew() == {"hello"}
    system.load_addr = "0x280000000"
    assert system.made_anew() == {"hello"}
    assert system.made_anew() == set()
    system.environ = {}
    assert system.made_anew() == {"hello"}, "by the sconsw of the checkout that it finds itself"
    assert system.made_anew() == set()


@pytest.mark.xdist_group("qemu")
def test_cargo_takes_a_module_that_was_made(tmp_path: Path) -> None:
    """Without SCons or Python."""
    made = shutil.copytree(kernel_builds.minimal(), tmp_path / "made before")
    system = Cargo(tmp_path / "tree", VDSO=str(made))
    assert system.made_anew() == {"hello"}
    check_kernel(system.kernel.read_bytes(), (made / "vdso.so").read_bytes(), "5IMAGE", "4PAGE")
    (system.tree / STUB).write_text("not asked")
    assert system.made_anew() == set()
    module = made / "vdso.rs"
    module.write_text(module.read_text() + "// another\n")
    assert system.made_anew() == {"hello"}

    for wrong, said in (
        ({"SCONS": "/absent/scons"}, r"No such file .*; set CHECKOUT in build\.rs, or VDSO or SCONS"),
        ({"SCONS": "false"}, r"exit status: 1; its words stand above"),
        ({"VDSO": "/absent"}, r"/absent/vdso\.rs: No such file"),
    ):
        system.environ = {**wrong, "RUST_BACKTRACE": "1"}
        with pytest.raises(AssertionError, match=said) as failed:
            system.build()
        assert not re.search("panicked|stack backtrace", str(failed.value))


@pytest.mark.parametrize("name", BUILD_CODE)
def test_thirty_lines_are_enough(name: str) -> None:
    text = "\n".join((ROOT / "examples" / file).read_text() for file in BUILD_CODE[name])
    lines = [line for line in text.splitlines() if line.strip() and not re.match(r'\s*(#|//|""".*"""$)', line)]
    assert 5 < len(lines) <= 30
