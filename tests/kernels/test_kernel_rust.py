# SPDX-License-Identifier: MIT
"""How the example kernel in Rust is built: the toolchain that is chosen, and what makes it build again."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import kernel_builds
import pytest
from repository import ROOT

pytestmark = pytest.mark.xdist_group("qemu")  # with the others that need a `core`, which is compiled once

SOURCES = kernel_builds.EXAMPLES / "kernel-rust"
IMAC, GC = "riscv64imac-unknown-none-elf", "riscv64gc-unknown-none-elf"
CORE = "src/rust/library/core/Cargo.toml"


def build(*words: object, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environ = dict(os.environ) if path is None else {**os.environ, "PATH": path}
    command = [sys.executable, str(SOURCES / "build"), *map(str, words)]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def toolchain(folder: Path, *files: str) -> str:
    """Make a folder for PATH with a cargo whose compiler has these files in its lib/rustlib."""
    for name, script in {"cargo": "exit 1", "rustc": f"echo {folder}"}.items():
        program = folder / "bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    for name in files:
        file = folder / "lib" / "rustlib" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return str(folder / "bin")


@pytest.mark.parametrize(
    ("first", "second", "chosen"),
    [
        ([], [f"{IMAC}/lib/core"], f"two/bin/cargo for {IMAC}, core as installed"),
        ([], [f"{GC}/lib/core"], f"two/bin/cargo for {GC}, core as installed"),
        ([], [CORE], f"two/bin/cargo for {IMAC}, core from its sources"),
        ([CORE], [f"{GC}/lib/core"], f"two/bin/cargo for {GC}, core as installed"),
        ([f"{GC}/lib/core"], [f"{IMAC}/lib/core"], f"one/bin/cargo for {GC}, core as installed"),
        ([f"{GC}/lib/core", f"{IMAC}/lib/core"], [], f"one/bin/cargo for {IMAC}, core as installed"),
    ],
)
def test_the_first_cargo_that_can_is_chosen(first: list[str], second: list[str], chosen: str, tmp_path: Path) -> None:
    done = build("--which", path=f"{toolchain(tmp_path / 'one', *first)}:{toolchain(tmp_path / 'two', *second)}")
    assert (done.stdout, done.stderr) == (f"{tmp_path}/{chosen}\n", "")


def test_without_one_a_line_says_what_is_missing(tmp_path: Path) -> None:
    for words in (["--which"], [tmp_path / "out"]):
        done = build(*words, path=toolchain(tmp_path))
        assert done.returncode == 2
        assert re.fullmatch(
            "build: no cargo that builds for riscv64 .* rust-web-src, or run `rustup target add .*`\n", done.stderr
        )


@pytest.mark.parametrize("words", [[], ["out", "more"], ["out", "BAS=x"], ["out", "BASE=x", "VDSO=y"]])
def test_wrong_words(words: list[str]) -> None:
    done = build(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: build OUT ")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of the repository, with a sconsw that runs the SCons at hand."""
    root = tmp_path / "checkout"
    for name in ("examples/kernel-rust", "site_scons", "templates", "vdso_src"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "target"))
    shutil.copy(ROOT / "SConstruct", root)
    sconsw = root / "sconsw"
    sconsw.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m SCons -Q -C "{root}" "$@"\n')
    sconsw.chmod(0o755)
    return root


def test_it_makes_its_vdso_and_builds_again_only_on_change(checkout: Path, tmp_path: Path) -> None:
    """Cargo asks scons-vdso by itself (door 1 of the design), for a base that is named from where the user stands."""
    kernel_builds.kernel("rust")  # `core` is compiled by now
    (tmp_path / "base.so").write_bytes((kernel_builds.minimal() / "base.so").read_bytes())
    module = tmp_path / "out" / "vdso" / "vdso.rs"

    def make() -> int:
        words = [sys.executable, checkout / "examples" / "kernel-rust" / "build", "out", "BASE=base.so"]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert (tmp_path / "out" / "kernel.elf").is_file()
        return (Path(os.environ["CARGO_TARGET_DIR"]) / IMAC / "release" / "kernel").stat().st_mtime_ns

    built = make()
    assert module.read_bytes() == (kernel_builds.minimal() / "vdso.rs").read_bytes()
    assert make() == built, "nothing to do"
    with (checkout / "templates" / "vdso.rs.j2").open("a") as template:
        template.write("// changed\n")
    assert make() != built
    assert module.read_text().endswith("// changed\n")


def test_what_a_missing_module_says(tmp_path: Path) -> None:
    kernel_builds.kernel("rust")
    done = build(tmp_path / "out", f"VDSO={tmp_path}")
    assert done.returncode == 2
    assert f"{tmp_path}/vdso.rs: No such file" in done.stderr
    assert not (tmp_path / "out" / "kernel.elf").exists()
