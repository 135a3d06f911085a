# SPDX-License-Identifier: MIT
"""vdso.h as kernels compile it: by old and new compilers, as C and as C++, without <stdint.h>, beside names of their own."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from emit.strict import C_STANDARDS, STRICT, accepted, clean, compile_in, every_call
from scons_build import build

CPP_STANDARDS = ("c++11", "c++14", "c++17", "c++20", "c++2b")
RISCV_CLANG = ("--target=riscv64-unknown-none-elf", "-march=rv64imac", "-mabi=lp64")
GCC = [f"gcc-{version}" for version in range(8, 17)]
CLANG = ["clang", *(f"clang-{version}" for version in range(14, 24))]


def there(*names: str) -> list[str]:
    return [name for name in names if shutil.which(name)]


COMPILERS = there("gcc", *GCC, "riscv64-linux-gnu-gcc", *CLANG)
CPP_COMPILERS = there("g++", *(name.replace("gcc", "g++") for name in GCC), *CLANG)
SETTINGS = {
    "page": (),
    "none": ("DATA_PAGE=none", "TIMEBASE_HZ=10000000"),
    "none-fast": ("DATA_PAGE=none", "TIMEBASE_HZ=5800000000"),
    "device": ("COUNTER=mmio:0xff8",),
    "none-device": ("DATA_PAGE=none", "TIMEBASE_HZ=10000000", "COUNTER=mmio:0xff8"),
}


@pytest.fixture(scope="module")
def headers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("headers")
    return {name: build(folder / name, "BASE=minimal", *words) / "vdso.h" for name, words in SETTINGS.items()}


def test_what_was_looked_for_is_there() -> None:
    """Without more than the compilers of the other tests these here say little."""
    assert {"gcc", "riscv64-linux-gnu-gcc"} <= set(COMPILERS)
    assert "g++" in CPP_COMPILERS
    assert set(COMPILERS) & set(CLANG)


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_every_function_is_clean_c(compiler: str, setting: str, headers: dict[str, Path], tmp_path: Path) -> None:
    common = (*STRICT, f'-DKERNEL_HEADER="{headers[setting]}"', every_call(setting))
    for target in ((), RISCV_CLANG) if "clang" in compiler else ((),):
        for standard, pedantic in C_STANDARDS.items():
            accepted(tmp_path, compiler, *target, f"-std={standard}", *pedantic, "-fsyntax-only", *common)
        for level in ("-O0", "-O2"):
            clean(tmp_path, compiler, *target, level, *common)


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("compiler", CPP_COMPILERS)
def test_every_function_is_clean_cpp(compiler: str, setting: str, headers: dict[str, Path], tmp_path: Path) -> None:
    common = (
        "-x",
        "c++",
        *STRICT,
        "-pedantic",
        "-Wold-style-cast",
        f'-DKERNEL_HEADER="{headers[setting]}"',
        every_call(setting),
    )
    for standard in CPP_STANDARDS:
        accepted(tmp_path, compiler, f"-std={standard}", "-fsyntax-only", *common)
    for level in ("-O0", "-O2"):
        clean(tmp_path, compiler, level, *common)


def test_casts_of_the_kernels_own_are_still_seen(headers: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "kernel.cpp").write_text(f'#include "{headers["page"]}"\nlong tick(double t) {{ return (long)t; }}\n')
    done = compile_in(tmp_path, "g++", "-Wold-style-cast", "-Werror", "-fsyntax-only", "kernel.cpp")
    assert "old-style cast" in done.stderr


OWN_TYPES = """
typedef signed int int32_t;
typedef signed long long int64_t;
typedef unsigned char uint8_t;
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
"""
"""Not those of <stdint.h>: there the 64 bits are `long` on these machines."""


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_kernel_without_headers_has_types_of_its_own(
    compiler: str, setting: str, headers: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "types.h").write_text(OWN_TYPES)
    include = ("-nostdinc", "-include", "types.h", f'-DKERNEL_HEADER="{headers[setting]}"')
    clean(tmp_path, compiler, "-std=c99", *STRICT, "-DVDSO_NO_STDINT", *include, every_call(setting))
    done = compile_in(tmp_path, compiler, *include, "-fsyntax-only", every_call(setting))
    assert "stdint.h" in done.stderr, "without the word the header wants it"


BESIDE = """
#ifndef VDSO_H
#define VDSO_H
#define VDSO_DATA_H
#define VDSO_FENCE_H
#define VDSO_COUNTER_H
#define VDSO_TYPES_H
#define _VDSO_H
#define __VDSO_H__
extern int vdso_init(void);
extern void vdso_setup(void *page);
extern const char vdso_start[], vdso_end[], vdso_text[];
struct vdso_page;
#endif
"""
"""What a kernel with a vDSO of its own has in a `vdso.h` of its own."""
USER = """
#include "vdso.h"
#include "ours.h"
int vdso_init(void);
int vdso_init(void) { return vdso_image[0]; }
"""


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("language", ["c", "c++"])
def test_a_kernel_that_has_a_vdso_of_its_own(language: str, setting: str, headers: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "vdso.h").write_text(BESIDE)
    shutil.copy(headers[setting], tmp_path / "ours.h")
    (tmp_path / "user.c").write_text(USER)
    done = compile_in(tmp_path, "gcc", "-x", language, *STRICT, "-I.", "-c", "user.c", "-o", "user.o")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


@pytest.mark.parametrize("setting", SETTINGS)
def test_its_names_can_be_told_from_those_of_a_kernel(setting: str, headers: dict[str, Path], tmp_path: Path) -> None:
    """Every macro begins with VDSO_, and every guard so that no kernel has the same one; all else begins with vdso_."""
    text = headers[setting].read_text()
    macros = set(re.findall(r"^#\s*define (\w+)", text, re.M))
    guards = set(re.findall(r"^#\s*ifndef (\w+)\n#\s*define \1\n", text, re.M))
    assert guards
    assert {name for name in guards if not name.startswith("SCONS_VDSO_")} == set()
    assert {name for name in macros - guards if not name.startswith("VDSO_")} == set()
    made = compile_in(
        tmp_path, "gcc", "-std=c99", "-O0", "-c", f'-DKERNEL_HEADER="{headers[setting]}"', every_call(setting), "-o", "made.o"
    )
    assert made.returncode == 0, made.stderr
    functions = compile_in(tmp_path, "nm", "made.o").stdout.split()[2::3]
    assert functions
    assert {name for name in functions if not name.startswith(("vdso_", "k_", "nsec."))} == set()


REFUSING = {
    "page": {
        "init": "&d, 1", "read": "&d, 1, 1, &sec, &nsec", "getres": "&d, 1, &sec, &nsec", "set_realtime": "&d, 1, 1, 1",
        "set_monotonic": "&d, 1, 1, 1", "adjust": "&d, 1, 1", "set_tick": "&d, 1, 1", "tick": "&d, 1", "suspend": "&d, 1",
        "resume": "&d, 1, 1",
    },
    "none": {"read": "1, 1, &sec, &nsec", "getres": "1, &sec, &nsec"},
}  # fmt: skip
"""The calls that can refuse, and arguments for them."""


@pytest.mark.parametrize(("setting", "call"), [(setting, call) for setting, calls in REFUSING.items() for call in calls])
def test_nobody_passes_over_a_refusal(setting: str, call: str, headers: dict[str, Path], tmp_path: Path) -> None:
    data, prefix = ("static struct vdso_data d;", "vdso_data_") if setting == "page" else ("", "vdso_")
    source = f'#include "{headers[setting]}"\n{data}\nint64_t sec; uint32_t nsec;\nvoid f(void) {{ %s; }}\n'
    written = f"{prefix}{call}({REFUSING[setting][call]})"
    for text, warned in ((written, True), (f"if ({written}) sec = 1", False)):
        (tmp_path / "kernel.c").write_text(source % text)
        done = compile_in(tmp_path, "gcc", "-Wall", "-Wextra", "-c", "kernel.c")
        assert done.returncode == 0, done.stderr
        assert ("warn_unused_result" in done.stderr) == warned, done.stderr


def test_every_call_that_answers_a_status_is_among_them(headers: dict[str, Path]) -> None:
    for setting, calls in REFUSING.items():
        prefix = "vdso_data_" if setting == "page" else "vdso_"
        text = headers[setting].read_text()
        statuses = re.findall(rf"^static inline (?:VDSO_MUST_USE )?int {prefix}(\w+)\(", text, re.M)
        assert set(statuses) - {"row_is_valid", "counter_serves"} == set(calls), setting
