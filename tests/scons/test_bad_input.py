# SPDX-License-Identifier: MIT
"""Every mistake of a user ends with one line, status 2, nothing new, and an earlier good output as it was."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from bases import bases
from elf_builder import Spec
from elf_builder import build as build_base
from scons_build import build, scons
from vdso.arch.riscv64.facts import RISCV64
from vdso.stubs import toolchain

OUTPUTS = ("vdso.so", "vdso.h", "vdso.rs", "vdso.S", "vdso.json")
GOOD = build_base(Spec())


@dataclass(frozen=True)
class Bad:
    """A command line and words of the one line that it ends with. {f}: the file with `data`; {dir}: its folder."""

    name: str
    words: tuple[str, ...]
    says: tuple[str, ...]
    data: bytes | None = None


def base(name: str, data: bytes, *says: str) -> Bad:
    return Bad(name, ("BASE={f}",), says, data)


def source(name: str, text: str, *says: str) -> Bad:
    return Bad(name, ("BASE=minimal", "EXTRA_SRC={f}"), says, text.encode())


GETCPU = "long __vdso_getcpu(void) "
BAD = (
    Bad("missing", ("BASE={dir}/absent",), ("absent: no such file", "minimal")),
    base("empty", b"", "empty"),
    base("not ELF", b"a text, and no ELF at all\n" * 20, "neither an ELF file", "give a file"),
    base("big-endian", build_base(Spec(endian=">")), "big-endian"),
    base("32-bit", build_base(Spec(bits=32)), "32-bit"),
    base("other architecture", build_base(Spec(machine=183)), "AArch64"),
    base("two loads", build_base(Spec(second_load=True)), "2 PT_LOAD"),
    base("relocations", build_base(Spec(relocations=2)), "relocations"),
    base("alternatives", build_base(Spec(alternatives=1)), ".alternative", "patches at boot"),
    *(base(f"truncated at {at:#x}", GOOD[:at], "truncated") for at in (0x41, 0x123, 0x400, len(GOOD) - 1)),
    Bad("policy of no export", ("BASE=minimal", "POLICY=nothing:hide"), ("POLICY", "no export `nothing`", "getcpu")),
    Bad("policy of no form", ("BASE=minimal", "POLICY=getcpu"), ("POLICY", "`getcpu` is not EXPORT:KIND", "hide")),
    Bad("unsafe keep", ("BASE={f}", "POLICY=clock_gettime:keep"), ("POLICY", "unsafe", "-0x"), GOOD),
    Bad("no plain system call", ("BASE=minimal", "POLICY=rt_sigreturn:syscall"), ("POLICY", "no plain system call")),
    source("does not compile", "int oops(", "Error 1"),
    source("undefined symbol", f"extern int other(void);\n{GETCPU}{{ return other(); }}", "undefined symbol `other`", ".c"),
    source("writable data", f"static int n;\n{GETCPU}{{ return n++; }}", "writable data", ".c"),
    source("thread data", f"__thread int n;\n{GETCPU}{{ return n; }}", "writable data", ".c"),
    source("thread pointer", f'{GETCPU}{{ long x; __asm__("mv %0, tp" : "=r"(x)); return x; }}', "uses tp", ".c"),
    source("global pointer", f'{GETCPU}{{ long x; __asm__("mv %0, gp" : "=r"(x)); return x; }}', "uses gp", ".c"),
    source(
        "GOT",
        f'{GETCPU}{{ long x; __asm__("1: auipc %0, %%got_pcrel_hi(vdso_data)\\nld %0, %%pcrel_lo(1b)(%0)" : "=r"(x));'
        " return x; }",
        "given.c",
        ".text.__vdso_getcpu at 0x0 holds an address (relocation of type 0x14)",
        "no GOT",
    ),
    source(
        "what ld refuses",
        f'{GETCPU}{{ __asm__("1: .reloc 1b, R_RISCV_BRANCH, __vdso_clock_gettime\\n.word 0x63\\n"'
        ' ".rept 6000\\nnop\\n.endr"); return 0; }',
        "the stubs: can't be linked, for the reason that ld says above",
        "docs/user-functions.md",
    ),
    source(
        "export that is data", "const int __vdso_answer = 42;", "`__vdso_answer` is not a function of known size", "given.c"
    ),
    source("stack of its own", f'{GETCPU}{{ __asm__ volatile("mv sp, a0"); return 0; }}', "given.c", "loads the stack pointer"),
    Bad(
        "policy of what is added",
        ("BASE=minimal", "EXTRA_SRC={f}", "POLICY=one:hide"),
        ("POLICY", "`one` is not in the base", "given.c adds it"),
        b"long __vdso_one(void) { return 1; }",
    ),
    Bad(
        "word of the data page that is not there",
        ("BASE=minimal", "EXTRA_SRC={f}", "DATA_PAGE=none", "TIMEBASE_HZ=10000000"),
        ("Error 1",),
        b'#include "vdso_stub.h"\nlong __vdso_one(void) { return (long)vdso_extra(0); }',
    ),
    source("absolute address", f"{GETCPU}{{ return *(volatile int *)0x1000; }}", "0x1000", "outside of image", ".c"),
    source("too large", f'{GETCPU}{{ __asm__(".rept 40000\\nnop\\nnop\\n.endr"); return 0; }}', "do not fit", "0x10000", ".c"),
    source(
        "defined twice",
        "long __vdso_clock_gettime(void) { return 0; }",
        "`__vdso_clock_gettime`",
        "too; give yours another name",
    ),
    Bad("compiler missing", ("BASE=minimal", "CROSS_COMPILE=absent-"), ("CROSS_COMPILE", "absent-gcc", "install")),
    Bad("unknown variable", ("BASE=minimal", "BASES=x"), ("BASES: unknown variable", "LOAD_ADDR")),
    Bad("unknown architecture", ("BASE=minimal", "ARCH=vax"), ("ARCH", "`vax` is not known", "riscv64")),
    Bad("unknown place", ("BASE=minimal", "DATA_PAGE=beside"), ("DATA_PAGE", "`beside`", "after, before, none")),
    Bad("address not aligned", ("BASE=minimal", "LOAD_ADDR=0x300000010"), ("0x300000010", "page-aligned", "0x300000000")),
    Bad("address not a number", ("BASE=minimal", "LOAD_ADDR=here"), ("LOAD_ADDR", "`here` is not a number")),
    Bad("frequency missing", ("BASE=minimal", "DATA_PAGE=none"), ("TIMEBASE_HZ", "missing")),
    Bad("frequency superfluous", ("BASE=minimal", "TIMEBASE_HZ=10000000"), ("TIMEBASE_HZ", "leave it out")),
    Bad(
        "frequency out of range", ("BASE=minimal", "DATA_PAGE=none", "TIMEBASE_HZ=5"), ("TIMEBASE_HZ", "out of range", "32768")
    ),
    Bad("no network", ("BASE=debian", "MIRROR=http://127.0.0.1:9/debian"), ("BASE=minimal",)),
    Bad("debian of nothing", ("BASE=debian:",), ("BASE", "debian:SUITE")),
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("good"), "BASE=minimal")


def fails(out: Path, words: list[str], says: tuple[str, ...]) -> None:
    before = {name: (out / name).read_bytes() for name in OUTPUTS}
    fresh = out.parent / "fresh"
    for folder in (out, fresh):
        done = scons("vdso", f"OUT={folder}", *words)
        assert done.returncode == 2, done.stdout + done.stderr
        assert "Traceback" not in done.stderr + done.stdout
        *others, line = done.stderr.strip().split("\n")
        assert line.startswith("scons: *** "), done.stderr
        assert not others or "Error 1" in line or "ld says above" in line, done.stderr
        for word in says:
            assert word in line, f"{word!r} is not in {line!r}"
    assert {name: (out / name).read_bytes() for name in OUTPUTS} == before
    assert not any((fresh / name).exists() for name in OUTPUTS)


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_one_line_and_nothing_new(good: Path, tmp_path: Path, bad: Bad) -> None:
    out = tmp_path / "out"
    shutil.copytree(good, out)
    file = tmp_path / ("given.c" if "EXTRA_SRC={f}" in bad.words else "given.so")
    if bad.data is not None:
        file.write_bytes(bad.data)
    fails(out, [word.format(f=file, dir=tmp_path) for word in bad.words], bad.says)


def test_an_image_of_ours_is_no_base(good: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(good, out)
    shutil.copy(good / "vdso.so", tmp_path / "ours.so")
    fails(out, [f"BASE={tmp_path / 'ours.so'}"], ("already spliced", "ours.so"))


def test_no_compiler_in_path_says_what_was_tried_and_what_to_install() -> None:
    assert toolchain.find_compiler(RISCV64, "", "/nonexistent") is None
    error = str(toolchain.missing(RISCV64, ""))
    for word in (
        "no compiler for riscv64 in PATH",
        *(compiler.cc for compiler in RISCV64.compilers),
        "gcc-riscv64-linux-gnu",
        "CROSS_COMPILE",
    ):
        assert word in error


@pytest.mark.parametrize("path", bases(), ids=lambda path: path.name)
def test_every_real_file_is_taken_or_refused_for_the_right_reason(path: Path, good: Path, tmp_path: Path) -> None:
    reasons = {"-cfi": "user-CFI", "compat": "32-bit", "aarch64": "aarch64", "x86_64": "x86", "loongarch64": "oongarch"}
    reason = next((text for word, text in reasons.items() if word in path.name), None)
    if reason is None:
        assert path.name.startswith("riscv64")
        build(tmp_path / "taken", f"BASE={path}")
        return
    out = tmp_path / "out"
    shutil.copytree(good, out)
    fails(out, [f"BASE={path}"], (path.name,))
    done = scons("vdso", f"OUT={out}", f"BASE={path}")
    assert reason.lower() in done.stderr.lower()
