# SPDX-License-Identifier: MIT
"""How a compiler is found, what is said where none is, and that no flag or header is asked of it that it may lack."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from scons_build import scons
from stub_build import PREFIX
from vdso.arch.riscv64.facts import RISCV64
from vdso.stubs import toolchain


def programs(folder: Path, *names: str) -> str:
    """Make empty programs in `folder`, and return it as PATH."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return str(folder)


def test_no_compiler_in_path_says_what_was_tried_and_what_to_install() -> None:
    assert toolchain.find_compiler(RISCV64, "", "/nonexistent") is None
    error = str(toolchain.missing(RISCV64, "", "/nonexistent"))
    for word in (
        "no compiler for riscv64 in PATH",
        *(compiler.cc for compiler in RISCV64.compilers.called("")),
        "gcc-riscv64-linux-gnu",
        "CROSS_COMPILE",
    ):
        assert word in error


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("riscv64-linux-gnu", "riscv64-linux-gnu-"),
        ("riscv64-linux-gnu-gcc", "riscv64-linux-gnu-"),
        ("riscv64-linux-gnu-gcc-12", "riscv64-linux-gnu-"),
        ("riscv64-linux-gnu-ld", "riscv64-linux-gnu-"),
        ("{path}/riscv64-linux-gnu-gcc", "{path}/riscv64-linux-gnu-"),
        ("{path}/riscv64-linux-gnu", "{path}/riscv64-linux-gnu-"),
        ("{path}", "{path}/riscv64-linux-gnu-"),
        ("{path}/", "{path}/riscv64-linux-gnu-"),
        ("{path}/..", "{path}/../bin/riscv64-linux-gnu-"),
        ("arm-none-eabi-", ""),
        ("/nonexistent", ""),
    ],
)
def test_a_wrong_prefix_is_told_the_right_one(given: str, meant: str, tmp_path: Path) -> None:
    path = programs(tmp_path / "bin", "riscv64-linux-gnu-gcc", "riscv64-linux-gnu-ld")
    error = toolchain.missing(RISCV64, given.format(path=path), path)
    if meant:
        assert error.todo == f"did you mean CROSS_COMPILE={meant.format(path=path)}?"
    else:
        assert "did you mean" not in error.todo


def test_a_compiler_without_its_linker_is_not_meant(tmp_path: Path) -> None:
    path = programs(tmp_path, "riscv64-linux-gnu-gcc")
    assert "did you mean" not in str(toolchain.missing(RISCV64, "riscv64-linux-gnu", path))


def test_the_build_says_it(tmp_path: Path) -> None:
    done = scons("BASE=minimal", f"OUT={tmp_path / 'out'}", "CROSS_COMPILE=riscv64-linux-gnu", "-j1")
    assert done.returncode == 2
    assert "(tried riscv64-linux-gnugcc and riscv64-linux-gnuld); did you mean CROSS_COMPILE=riscv64-linux-gnu-?" in done.stderr


def test_a_warning_ends_no_build(tmp_path: Path) -> None:
    """Each new compiler has new warnings: they are the reader's, in what users build."""
    (tmp_path / "loud.c").write_text("long __vdso_one(void) { int unused; return 1; }\n")
    done = scons("BASE=minimal", f"OUT={tmp_path / 'out'}", f"EXTRA_SRC={tmp_path / 'loud.c'}")
    assert done.returncode == 0, done.stderr
    assert "unused variable" in done.stderr
    assert (tmp_path / "out" / "vdso.h").exists()


REFUSES = """#!/bin/sh
for word; do
  case $word in
    -Werror*|-march=*_*|-msmall-data-limit=*|--no-warn-rwx-segments) echo "$0: unknown: $word" >&2; exit 1;;
  esac
done
"""
"""What gcc 10 and clang 14, lld and GNU ld before 2.39 do not know, and what would make a warning of theirs an error."""


def test_no_option_is_asked_that_some_compiler_lacks(tmp_path: Path) -> None:
    for name in ("gcc", "ld"):
        (tmp_path / f"old-{name}").write_text(f'{REFUSES}exec {PREFIX}{name} "$@"\n')
        (tmp_path / f"old-{name}").chmod(0o755)
    words = (f"OUT={tmp_path / 'out'}", f"CROSS_COMPILE={tmp_path / 'old-'}")
    for target in ("vdso", "selftest"):
        done = scons(target, "BASE=minimal", *words)
        assert done.returncode == 0, done.stderr


def test_no_header_is_asked_that_a_bare_metal_compiler_lacks(tmp_path: Path) -> None:
    """Some gcc leave <stdint.h> to a C library; that of each compiler that has one comes before ours."""
    own = subprocess.run(
        [f"{PREFIX}gcc", "-print-file-name=include"], capture_output=True, text=True, check=True
    ).stdout.strip()
    (tmp_path / "include").mkdir()
    for name in ("stddef.h", "stdbool.h", "stdarg.h"):
        (tmp_path / "include" / name).symlink_to(Path(own, name))
    (tmp_path / "bare-gcc").write_text(f'#!/bin/sh\nexec {PREFIX}gcc -nostdinc -isystem {tmp_path}/include "$@"\n')
    (tmp_path / "bare-ld").write_text(f'#!/bin/sh\nexec {PREFIX}ld "$@"\n')
    for name in ("bare-gcc", "bare-ld"):
        (tmp_path / name).chmod(0o755)
    built = []
    for name, prefix in (("bare", str(tmp_path / "bare-")), ("whole", PREFIX)):
        for target in ("vdso", "selftest"):
            done = scons(target, "BASE=minimal", f"OUT={tmp_path / name}", f"CROSS_COMPILE={prefix}")
            assert done.returncode == 0, done.stderr
        built.append((tmp_path / name / "vdso.so").read_bytes())
    assert built[0] == built[1]
