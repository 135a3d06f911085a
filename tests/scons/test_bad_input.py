# SPDX-License-Identifier: MIT
"""Every mistake of a user ends with one line, status 2, nothing new, and an earlier good output as it was."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from bases import bases
from checkout import fresh
from elf_builder import Spec
from elf_builder import build as build_base
from image_builder import Patch
from scons_build import build, scons
from stub_build import PREFIX
from vdso.elf import elf64

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


def packed_relocations() -> bytes:
    patch = Patch(build_base(Spec()))
    patch.add(elf64.DT_RELRSZ, 8)
    return patch.image


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
    base("relocations", packed_relocations(), "relocations of another form"),
    base(
        "kept code that is patched at boot", build_base(Spec(patched=("__vdso_getcpu",))), "`getcpu:keep`", "at boot", "syscall"
    ),
    *(base(f"truncated at {at:#x}", GOOD[:at], "truncated") for at in (0x41, 0x123, 0x400, len(GOOD) - 1)),
    Bad("policy of no export", ("BASE=minimal", "POLICY=nothing:hide"), ("POLICY", "no export `nothing`", "getcpu")),
    Bad("policy of a misspelt export", ("BASE=minimal", "POLICY=getcp:hide"), ("no export `getcp`", "did you mean getcpu?")),
    Bad("policy of a misspelt kind", ("BASE=minimal", "POLICY=getcpu:hid"), ("is not EXPORT:KIND", "did you mean hide?")),
    Bad("policy of no form", ("BASE=minimal", "POLICY=getcpu"), ("POLICY", "`getcpu` is not EXPORT:KIND", "hide")),
    Bad("unsafe keep", ("BASE={f}", "POLICY=clock_gettime:keep"), ("POLICY", "unsafe", "-0x"), GOOD),
    Bad("no plain system call", ("BASE=minimal", "POLICY=rt_sigreturn:syscall"), ("POLICY", "no plain system call")),
    Bad("base of nothing", ("BASE=",), ("BASE: `` is not known", "debian:SUITE")),
    Bad("base is a folder", ("BASE={dir}",), ("a folder", "give a file")),
    Bad("base misspelt", ("BASE=debain",), ("no such file", "did you mean BASE=debian?")),
    Bad("suite of our own base", ("BASE=minimal:trixie",), ("BASE: `minimal:trixie` is not known",)),
    Bad("source is a folder", ("BASE=minimal", "EXTRA_SRC={dir}"), ("a folder", "name the C files in it")),
    Bad("source missing", ("BASE=minimal", "EXTRA_SRC={dir}/absent.c"), ("absent.c: no such file", "a C file that is there")),
    Bad("sources with a comma", ("BASE=minimal", "EXTRA_SRC={f},b.c"), ("no such file", "by spaces, not by commas")),
    Bad("source in Rust", ("BASE=minimal", "EXTRA_SRC={dir}/absent.rs"), ("absent.rs", "no such file")),
    Bad("source that is no text", ("BASE=minimal", "EXTRA_SRC={f}.o"), ("neither C (.c) nor assembly (.S)",), b""),
    Bad("source given twice", ("BASE=minimal", "EXTRA_SRC={f} {f}"), ("stands in EXTRA_SRC twice",), b""),
    source("misspelt export", "long _vdso_getpid(void) { return 1; }", "given.c: no global", "did you mean __vdso_getpid?"),
    source(
        "hidden export",
        "__attribute__((used)) static long __vdso_getpid(void) { return 1; }",
        "no global function",
        "begins with __vdso_",
    ),
    source("export of another name", "long getpid(void) { return 1; }", "begins with __vdso_, so it exports nothing"),
    source("nothing at all", "", "no global function"),
    source("does not compile", "int oops(", "can't be compiled", "docs/user-functions.md"),
    source(
        "C library", f"#include <string.h>\n{GETCPU}{{ return 0; }}", "EXTRA_SRC: can't be compiled", "there is no C library"
    ),
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
        "EXTRA_SRC: can't be linked, for the reason that ld says above",
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
        ("can't be compiled",),
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
    Bad("unknown variable", ("BASE=minimal", "BASES=x"), ("BASES: unknown variable", "did you mean BASE?", "LOAD_ADDR")),
    Bad(
        "variable of an SConstruct", ("BASE=minimal", "VDSO_LOAD_ADDR=0x1000"), ("unknown variable", "did you mean LOAD_ADDR?")
    ),
    Bad("variable in small letters", ("base=minimal",), ("base: unknown variable", "did you mean BASE?")),
    Bad("variable like none", ("BASE=minimal", "ZZZ=1"), ("ZZZ: unknown variable; it is one of ARCH, BASE",)),
    Bad("unknown architecture", ("BASE=minimal", "ARCH=vax"), ("ARCH", "`vax` is not known", "riscv64")),
    Bad("architecture misspelt", ("BASE=minimal", "ARCH=riscv"), ("ARCH", "did you mean riscv64?")),
    Bad("unknown place", ("BASE=minimal", "DATA_PAGE=beside"), ("DATA_PAGE", "`beside`", "after, before, none")),
    Bad("no such V", ("BASE=minimal", "V=2"), ("V: `2` is not known", "0, 1")),
    Bad("image that is not read", ("BASE=minimal", "IMAGE={f}"), ("IMAGE: only check reads it, not vdso",), GOOD),
    Bad("pages of no image", ("BASE=minimal", "DATA=before:1"), ("DATA: only check reads it, not vdso",)),
    Bad("words for tests alone", ("BASE=minimal", "TEST=-k"), ("TEST: only test reads it, not vdso",)),
    Bad("address not aligned", ("BASE=minimal", "LOAD_ADDR=0x300000010"), ("0x300000010", "page-aligned", "0x300000000")),
    Bad("address of nothing", ("BASE=minimal", "LOAD_ADDR=0"), ("0x0 is not", "take 0x300000000")),
    Bad("address without 0x", ("BASE=minimal", "LOAD_ADDR=300000000"), ("page-aligned", "take 0x300000000")),
    Bad("no address", ("BASE=minimal", "LOAD_ADDR="), ("LOAD_ADDR: `` is not a number",)),
    Bad("address beyond 64 bits", ("BASE=minimal", "LOAD_ADDR=0x10000000000000000"), ("LOAD_ADDR", "below 2^64")),
    Bad("data page beyond 64 bits", ("BASE=minimal", "LOAD_ADDR=0xfffffffffffff000"), ("data page after it", "user space")),
    Bad("address of the kernel's", ("BASE=minimal", "LOAD_ADDR=0xffffffff80000000"), ("not in user space", "0x300000000")),
    Bad(
        "page of the counter at 0",
        ("BASE=minimal", "LOAD_ADDR=0x2000", "DATA_PAGE=before", "COUNTER=mmio:0xff8"),
        ("an image at 0x2000", "is not in user space"),
    ),
    Bad("image over the end", ("BASE=minimal", "LOAD_ADDR=0xfffffffffff000"), ("not in user space", "0x100000000000000")),
    Bad(
        "data page at 0",
        ("BASE=minimal", "LOAD_ADDR=0x1000", "DATA_PAGE=before"),
        ("an image at 0x1000 with the data page before it is not in user space",),
    ),
    Bad("address not a number", ("BASE=minimal", "LOAD_ADDR=here"), ("LOAD_ADDR", "`here` is not a number")),
    Bad(
        "pages that the architecture has not",
        ("BASE=minimal", "PAGE_SIZE=16384"),
        ("PAGE_SIZE", "`16384`", "4096"),
    ),
    Bad("pages of no size", ("BASE=minimal", "PAGE_SIZE="), ("PAGE_SIZE", "``", "4096")),
    Bad(
        "address in the middle of a page",
        ("BASE=minimal", "ARCH=loongarch64", "PAGE_SIZE=16384", "LOAD_ADDR=0x300001000"),
        ("0x300001000", "a multiple of 0x4000", "take 0x300000000"),
    ),
    Bad("frequency missing", ("BASE=minimal", "DATA_PAGE=none"), ("TIMEBASE_HZ", "missing")),
    Bad("frequency superfluous", ("BASE=minimal", "TIMEBASE_HZ=10000000"), ("TIMEBASE_HZ", "leave it out")),
    Bad(
        "frequency out of range", ("BASE=minimal", "DATA_PAGE=none", "TIMEBASE_HZ=5"), ("TIMEBASE_HZ", "out of range", "32768")
    ),
    Bad("no network", ("BASE=debian", "MIRROR=http://127.0.0.1:9/debian"), ("BASE=minimal",)),
    Bad("mirror that is no address", ("BASE=debian", "MIRROR=deb.example/debian"), ("MIRROR", "is no address", "http://")),
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
        assert not others or "says above" in line, done.stderr
        for word in says:
            assert word in line, f"{word!r} is not in {line!r}"
    assert {name: (out / name).read_bytes() for name in OUTPUTS} == before
    assert not any((fresh / name).exists() for name in OUTPUTS)


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_one_line_and_nothing_new(good: Path, tmp_path: Path, bad: Bad) -> None:
    out = tmp_path / "out"
    shutil.copytree(good, out)
    file = tmp_path / ("given.c" if any(word.startswith("EXTRA_SRC={f}") for word in bad.words) else "given.so")
    if bad.data is not None:
        file.write_bytes(bad.data)
        file.with_name(f"{file.name}.o").write_bytes(bad.data)
    fails(out, [word.format(f=file, dir=tmp_path) for word in bad.words], bad.says)


TARGETS = ("vdso", "info", "check", "report", "demo", "selftest", "dist", "test", "bench")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("vdos",), ("vdos: unknown target", "did you mean vdso?", *TARGETS)),
        (("vdso", "Selftest"), ("Selftest: unknown target", "did you mean selftest?")),
        (("menuconfig",), ("menuconfig: unknown target; it is one of vdso",)),
        (("clean",), ("clean: unknown target; here it is `scons -c`",)),
        (("help",), ("help: unknown target; here it is `scons -h`",)),
        (("info", "IMAGE={f}"), ("IMAGE: only check reads it, not info",)),
        (("check", "IMAGE={dir}"), ("a folder; name the image",)),
        (("check", "IMAGE={dir}/absent.so"), ("absent.so: no such file; name the image",)),
        (("info", "IMAGE={dir}/absent.so"), ("IMAGE: only check reads it, not info",)),
        (("test", "TEST=-k 'unbalanced"), ("TEST: `-k 'unbalanced` can't be taken apart", "write it as in TEST=")),
        (("check",), ("IMAGE: missing; name the image",)),
        (("check", "IMAGE="), ("IMAGE: missing; name the image",)),
    ],
)
def test_wrong_targets_and_images(words: tuple[str, ...], says: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "image.so").write_bytes(GOOD)
    given = [word.format(f=tmp_path / "image.so", dir=tmp_path) for word in words]
    done = scons(*given, "BASE=minimal", f"OUT={tmp_path / 'out'}")
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = done.stderr.strip().split("\n")
    for word in says:
        assert word in line, f"{word!r} is not in {line!r}"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("program", "makes", "says"),
    [
        ("gcc", ".o", "compiled, for the reason that the compiler says above; docs/errors.md tells which compilers do"),
        ("ld", "stubs.elf", "linked, for the reason that ld says above; docs/errors.md tells which linkers do"),
    ],
)
def test_a_tool_that_can_not_do_it(program: str, makes: str, says: str, tmp_path: Path) -> None:
    """It knows its version, and nothing more."""
    refuses = 'case "$*" in *-version*|*-V*|*-print*) ;; *) echo it is too old >&2; exit 1;; esac\n'
    for tool in ("gcc", "ld"):
        path = tmp_path / f"own-{tool}"
        path.write_text(f'#!/bin/sh\n{refuses if tool == program else ""}exec {PREFIX}{tool} "$@"\n')
        path.chmod(0o755)
    done = scons("vdso", "BASE=minimal", f"OUT={tmp_path / 'out'}", f"CROSS_COMPILE={tmp_path / 'own-'}")
    assert done.returncode == 2
    first, *_, last = done.stderr.strip().split("\n")
    assert first == "it is too old"
    assert last.startswith(f"scons: *** [{tmp_path / 'out'}")
    assert last.endswith(f"{makes}] the stubs: can't be {says}")
    assert not any((tmp_path / "out" / name).exists() for name in OUTPUTS)


def test_a_file_of_outputs_is_a_target(good: Path) -> None:
    done = scons(str(good / "vdso.h"), "BASE=minimal", f"OUT={good}")
    assert (done.returncode, "up to date" in done.stdout) == (0, True), done.stdout + done.stderr


def test_a_source_that_only_others_call(tmp_path: Path) -> None:
    (tmp_path / "one.c").write_text("long seven(void);\nlong __vdso_one(void) { return seven(); }\n")
    (tmp_path / "two.c").write_text("long seven(void) { return 7; }\n")
    built = build(tmp_path / "out", "BASE=minimal", f"EXTRA_SRC={tmp_path / 'one.c'} {tmp_path / 'two.c'}")
    assert "VDSO_SYM_ONE" in (built / "vdso.h").read_text()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkout that a mistake may write into."""
    return fresh(tmp_path_factory.mktemp("tree") / "checkout", *TREE)


TREE = ("SConstruct", "requirements.txt", "site_scons", "templates", "vdso_src", "examples/kernel-c")


@pytest.mark.parametrize(
    ("out", "says"),
    [
        ("", ("OUT: empty", "name a folder")),
        (".", ("a folder of scons-vdso itself", "OUT=build")),
        ("../checkout", ("a folder of scons-vdso itself",)),
        ("site_scons/../vdso_src", ("a folder of scons-vdso itself", "made by no build")),
        ("examples/kernel-c", ("a folder of scons-vdso itself",)),
        ("SConstruct", ("SConstruct: a file", "name a folder")),
        ("SConstruct/below", ("SConstruct: a file",)),
    ],
)
@pytest.mark.parametrize("target", ["vdso", "dist", "info", "test"])
def test_outputs_are_never_written_between_our_files(target: str, out: str, says: tuple[str, ...], tree: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in tree.rglob("*") if "__pycache__" not in path.parts}
    done = scons("-C", str(tree), target, "BASE=minimal", f"OUT={out}", cwd=tree, PYTHONDONTWRITEBYTECODE="1")
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = done.stderr.strip().split("\n")
    for word in says:
        assert word in line, f"{word!r} is not in {line!r}"
    assert {path: path.stat().st_mtime_ns for path in tree.rglob("*") if "__pycache__" not in path.parts} == before


def test_a_folder_for_outputs_in_the_checkout(tree: Path) -> None:
    """A new one, one that was made for it, one that the wrapper was in, and any of an earlier build."""
    (tree / "made").mkdir()
    (tree / "wrapped" / "sconsw").mkdir(parents=True)
    for out in ("new/below", "made", "wrapped", "made"):
        done = scons("-C", str(tree), "BASE=minimal", f"OUT={out}", cwd=tree)
        assert done.returncode == 0, done.stderr
        assert (tree / out / "vdso.h").exists()


def test_an_image_of_ours_is_no_base(good: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(good, out)
    shutil.copy(good / "vdso.so", tmp_path / "ours.so")
    fails(out, [f"BASE={tmp_path / 'ours.so'}"], ("already spliced", "ours.so"))


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
