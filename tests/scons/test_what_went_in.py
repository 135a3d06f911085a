# SPDX-License-Identifier: MIT
"""After a change a build makes what a build from clean makes, to the byte: for the sources' names and all that they include."""

from __future__ import annotations

import json
import re
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest
from repository import ROOT
from scons_build import build, scons
from vdso import layout
from vdso.stubs import included

ONE = '#include "vdso_stub.h"\nlong __vdso_one(void) { return 1; }\n'
NAMED = "unsigned long __vdso_one(void) { return sizeof(__FILE__) + __FILE__[sizeof(__FILE__) - 6]; }\n"
TWO = "long __vdso_two(void) { return 2; }\n"
BY_MACRO = '#define WORDS "words.h"\n#include WORDS\nlong __vdso_words(void) { return THREE; }\n'
BY_HEADER = '#include "names.h"\n#include WORDS\nlong __vdso_words(void) { return THREE; }\n'
ASSEMBLY = (
    "\t.globl __vdso_one\n\t.type __vdso_one, %function\n__vdso_one:\tli a0, 1\n\tret\n\t.size __vdso_one, . - __vdso_one\n"
)
IN_ASSEMBLY = """
\t.include "{folder}/words.inc"
\t.globl __vdso_one
\t.type __vdso_one, %function
__vdso_one:
\tla a0, bytes
\tlbu a0, three(a0)
\tret
\t.size __vdso_one, . - __vdso_one
\t.section .rodata
bytes:\t.incbin "{folder}/bytes"
"""
IN_C = """
__asm__(".section .rodata\\nbytes: .incbin \\"{folder}/bytes\\"\\n.previous");
extern const unsigned char bytes[] __attribute__((visibility("hidden")));
long __vdso_one(void) { return bytes[0]; }
"""


def state(folder: Path, extra: str, files: dict[str, str]) -> str:
    """Let `folder` have these files; return EXTRA_SRC for those that it names."""
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        path.unlink()
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text.replace("{folder}", str(folder)))
    return "EXTRA_SRC=" + " ".join(str(folder / name) for name in extra.split())


def made(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in (*layout.OUTPUTS, layout.PLAN, layout.SCRIPT)}


STATES: dict[str, tuple[tuple[str, dict[str, str]], ...]] = {
    "sources": (
        ("a.c", {"a.c": ONE}),
        ("b.c", {"b.c": ONE}),
        ("in/b.c", {"in/b.c": ONE}),
        ("b.c other.c", {"b.c": ONE, "other.c": TWO}),
        ("other.c b.c", {"b.c": ONE, "other.c": TWO}),
        ("other.c b.c", {"b.c": TWO, "other.c": ONE}),
        ("x/b.c y/b.c", {"x/b.c": ONE, "y/b.c": TWO}),
        ("y/b.c x/b.c", {"x/b.c": ONE, "y/b.c": TWO}),
        ("x/b.c", {"x/b.c": NAMED}),
        ("y/b.c", {"y/b.c": NAMED}),
        ("", {"x/b.c": ONE}),
        ("x/b.c", {"x/b.c": ONE}),
    ),
    "assembly": (
        ("a.S", {"a.S": ASSEMBLY}),
        ("b.S", {"b.S": ASSEMBLY}),
        ("b.S c.c", {"b.S": ASSEMBLY, "c.c": TWO}),
        ("c.c b.S", {"b.S": ASSEMBLY, "c.c": TWO}),
    ),
    "by a macro": (
        ("a.c", {"a.c": BY_MACRO, "words.h": "#define THREE 3\n"}),
        ("a.c", {"a.c": BY_MACRO, "words.h": "#define THREE 4\n"}),
        ("a.c", {"a.c": BY_MACRO, "words.h": "#define THREE 4 /* four */\n"}),
        ("a.c", {"a.c": BY_HEADER, "names.h": '#define WORDS "more.h"\n', "more.h": "#define THREE 4 /* four */\n"}),
        ("a.c", {"a.c": BY_HEADER, "names.h": '#define WORDS "last.h"\n', "last.h": "#define THREE 4 /* four */\n"}),
        ("a.c", {"a.c": BY_HEADER, "names.h": '#define WORDS "last.h"\n', "last.h": "#define THREE 5\n"}),
        ("a.c", {"a.c": "#define THREE 5\nlong __vdso_words(void) { return THREE; }\n"}),
    ),
    "by the assembler": (
        ("a.S", {"a.S": IN_ASSEMBLY, "words.inc": ".equ three, 0\n", "bytes": "abcd"}),
        ("a.S", {"a.S": IN_ASSEMBLY, "words.inc": ".equ three, 1\n", "bytes": "abcd"}),
        ("a.S", {"a.S": IN_ASSEMBLY, "words.inc": ".equ three, 1\n", "bytes": "abce"}),
        ("a.c", {"a.c": IN_C, "bytes": "abce"}),
        ("a.c", {"a.c": IN_C, "bytes": "zbce"}),
    ),
}


@pytest.mark.parametrize("kind", STATES)
def test_what_a_build_from_clean_makes(kind: str, tmp_path: Path) -> None:
    for index, (extra, files) in enumerate(STATES[kind]):
        words = ("BASE=minimal", state(tmp_path / "kernel", extra, files))
        out, clean = build(tmp_path / "out", *words), build(tmp_path / f"clean{index}", *words)
        assert made(out) == made(clean), (index, extra)
        inputs = json.loads(made(out)[layout.JSON])["inputs"]
        mine = {name for name in inputs if name.startswith("EXTRA_SRC/")}
        read = files if extra else {}
        assert {inputs[name] for name in mine} == {sha256((tmp_path / "kernel" / n).read_bytes()).hexdigest() for n in read}
        assert {name.rstrip("'") for name in mine} == {f"EXTRA_SRC/{Path(name).name}" for name in read}


def test_archive_and_sbom_follow_a_new_name(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for name in ("a.c", "b.c"):
        words = state(tmp_path / "kernel", name, {name: ONE})
        done = scons("dist", f"OUT={out}", "BASE=minimal", words)
        assert done.returncode == 0, done.stderr
        told = (out / "dist" / "vdso-riscv64-minimal.cdx.json").read_text()
        with tarfile.open(out / "dist" / "vdso-riscv64-minimal.tar.gz") as tar:
            packed = tar.extractfile(next(name for name in tar.getnames() if name.endswith("vdso.json")))
            assert packed
            facts = packed.read().decode()
        assert all(f"EXTRA_SRC/{name}" in text for text in (told, facts))
        assert not any(f"EXTRA_SRC/{other}" in text for other in {"a.c", "b.c"} - {name} for text in (told, facts))


def test_a_header_that_is_gone_is_missed(tmp_path: Path) -> None:
    words = state(tmp_path / "kernel", "a.c", {"a.c": BY_MACRO, "words.h": "#define THREE 3\n"})
    out = build(tmp_path / "out", "BASE=minimal", words)
    right = made(out)
    (tmp_path / "kernel" / "words.h").unlink()
    done = scons("vdso", f"OUT={out}", "BASE=minimal", words)
    assert done.returncode == 2
    assert "words.h" in done.stderr
    (tmp_path / "kernel" / "words.h").write_text("#define THREE 3\n")
    assert made(build(out, "BASE=minimal", words)) == right


def test_clean_takes_the_records_away(tmp_path: Path) -> None:
    out = build(tmp_path / "out", "BASE=minimal", state(tmp_path / "kernel", "a.c", {"a.c": ONE}))
    assert (out / "work" / f"extra0_a{included.RECORD}").exists()
    assert scons("-c", "vdso", f"OUT={out}", "BASE=minimal", f"EXTRA_SRC={tmp_path}/kernel/a.c").returncode == 0
    assert not list(out.glob(f"work/*{included.RECORD}"))


GROUPED = '\t.section .text.x,"axG",@progbits,group,comdat\n' + ASSEMBLY
ANOTHER = ASSEMBLY.replace("one", "two")
TWICE = "".join(f'\t.section .text.x,"ax",@progbits,unique,{index}\n{text}' for index, text in enumerate((ASSEMBLY, ANOTHER)))


@pytest.mark.parametrize(
    ("extra", "files", "says"),
    [
        *(
            (name, {name: ""}, f"{name}: neither C (.c) nor assembly (.S)")
            for name in ("a.rs", "a.cc", "a.o", "a.s", "a.C", "a.h", "a", "c", ".S.bak")
        ),
        ("a.c,b.c", {"a.c": ONE, "b.c": TWO}, "a.c,b.c: no such file for EXTRA_SRC; separate files by spaces"),
        ("a.S b.S", {"a.S": GROUPED, "b.S": GROUPED.replace("one", "two")}, "ld left .text.x of extra1_b.o out"),
        ("a.S", {"a.S": TWICE}, "ld left .text.x of extra0_a.o out"),
        ("a.S", {"a.S": ASSEMBLY.replace("\t.size", "#")}, "`__vdso_one` is not a function of known size"),
        ("a.S", {"a.S": ASSEMBLY + "\t.data\n\t.word 1\n"}, "a.S: has writable data (section .data)"),
    ],
    ids=str,
)
def test_what_is_refused_is_refused_in_a_line(extra: str, files: dict[str, str], says: str, tmp_path: Path) -> None:
    done = scons("vdso", f"OUT={tmp_path / 'out'}", "BASE=minimal", state(tmp_path / "kernel", extra, files))
    assert done.returncode == 2
    assert "Traceback" not in done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert says in done.stderr


def test_a_comma_in_a_name_is_none_between_two(tmp_path: Path) -> None:
    build(tmp_path / "out", "BASE=minimal", state(tmp_path / "a, kernel".replace(" ", ""), "a,b.c", {"a,b.c": ONE}))


def test_the_rule_that_a_compiler_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spaces, signs of make, folded lines; and a file that is there under two names."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.c", "with space.h", "back\\ slash.h", "$dollar#hash.h", "f:g.h", "plain\\.h"):
        Path(name).write_text(f"/* {name} */\n")
    rule = "made: a.c with\\ space.h \\\n back\\\\\\ slash.h \\\n  $$dollar\\#hash.h f:g.h plain\\.h absent.h\n"
    data = included.record(Path("a.c"), rule, [tmp_path / "a.c", tmp_path / "f:g.h"])
    files = [Path(name) for name in ("a.c", "f:g.h", "with space.h", "back\\ slash.h", "$dollar#hash.h", "plain\\.h")]
    assert included.included([data, data]) == files
    kept = tmp_path / "kept.json"
    assert not included.changed(kept, tmp_path)
    kept.write_bytes(data)
    monkeypatch.chdir("/")
    assert not included.changed(kept, tmp_path)
    (tmp_path / "f:g.h").write_text("SCons sees this by itself")
    assert not included.changed(kept, tmp_path)
    (tmp_path / "with space.h").write_text("another")
    assert included.changed(kept, tmp_path)


@pytest.mark.parametrize("text", ["", "made: a.c", "[]", "{}", '{"not seen by SCons": {"a": 1}}', '{"not seen by SCons": [1]}'])
def test_what_a_broken_compilation_leaves_is_no_record(text: str, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text(text)
    assert included.changed(tmp_path / "kept", tmp_path)


def test_the_document_tells_of_assembly() -> None:
    text = (ROOT / "docs" / "user-functions.md").read_text()
    assert all(f"(`{suffix}`)" in text for suffix in included.SUFFIXES)
    assembly = re.search(r"```asm\n(.*?)```", text, re.S)
    assert assembly
    assert "__vdso_" in assembly[1] or "VDSO_EXPORT" in assembly[1]
