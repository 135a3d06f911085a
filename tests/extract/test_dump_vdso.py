# SPDX-License-Identifier: MIT
"""dump_vdso.py: the one file that runs elsewhere, on this machine's vDSO and on made-up ones."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from core_builder import own_vdso
from elf_builder import Spec, build
from vdso.arch.riscv64.facts import RISCV64
from vdso.elf import elf64
from vdso.errors import VdsoError
from vdso.extract import dump_vdso
from vdso.extract.find import find, search
from vdso.ranges import align_up

SCRIPT = Path(dump_vdso.__file__)
PLAIN = build(Spec())
PAGES = PLAIN.ljust(align_up(len(PLAIN), elf64.PAGE), b"\0")
VDSO, DATA = 0x7F4000, 0x7F0000
CLOCK = b"clock".ljust(0x2000, b"\0")
NEXT = "next: copy vdso.so to the machine that builds, and there: ./sconsw vdso BASE=vdso.so\n"


def proc(folder: Path, memory: dict[int, bytes], **mapped: tuple[int, int]) -> Path:
    """Make a /proc/self whose maps hold `mapped` ([name] to place and size) among others, and whose memory is `memory`."""
    lines = ["55f0f8a000-55f0f8b000 r--p 00000000 fe:01 1234                           /usr/bin/\udcffpython3"]
    lines += [f"{at:x}-{at + size:x} r-xp 00000000 00:00 0                 [{name}]" for name, (at, size) in mapped.items()]
    lines += ["55f0f8c000-55f0f8d000 rw-p 00000000 00:00 0"]
    folder.mkdir()
    (folder / "maps").write_bytes("\n".join(lines).encode(errors="surrogateescape"))
    with (folder / "mem").open("wb") as mem:
        for at, data in memory.items():
            mem.seek(at)
            mem.write(data)
    return folder


def test_this_machine(tmp_path: Path) -> None:
    """Copied elsewhere, in an interpreter without packages; the error that remains is that of the architecture."""
    copy = tmp_path / "copy.py"
    copy.write_bytes(SCRIPT.read_bytes())
    done = subprocess.run([sys.executable, "-I", "-S", copy], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    data = (tmp_path / "vdso.so").read_bytes()
    assert data == own_vdso()
    first, *_, last = done.stdout.splitlines(keepends=True)
    assert first == f"vdso.so: the vDSO of Linux {os.uname().release}, {os.uname().machine}, {len(data):#x} bytes\n"
    assert last == NEXT
    with pytest.raises(VdsoError, match="no plain riscv64 vDSO: found vDSO of another architecture"):
        find("vdso.so", data, RISCV64)
    assert len(search("vdso.so", data, RISCV64).found) == 1


def test_a_folder_can_be_named(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, SCRIPT, tmp_path], cwd="/", capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{tmp_path}/vdso.so: the vDSO of Linux ")
    assert (tmp_path / "vdso.so").read_bytes() == own_vdso()


def test_a_riscv64_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake = proc(tmp_path / "self", {DATA: CLOCK, VDSO: PAGES}, vvar=(DATA, len(CLOCK)), vdso=(VDSO, len(PAGES)))
    out = tmp_path / "new" / "folder"
    assert dump_vdso.main([str(out)], fake) == 0
    assert sorted(path.name for path in out.iterdir()) == ["vdso.so", "vvar.bin"]
    assert find("vdso.so", (out / "vdso.so").read_bytes(), RISCV64) == PLAIN
    assert (out / "vvar.bin").read_bytes() == CLOCK
    shown = capsys.readouterr().out
    assert f"{out}/vdso.so: the vDSO of Linux {os.uname().release}, riscv64, {len(PAGES):#x} bytes\n" in shown
    assert f"{out}/vvar.bin: Linux's data pages, 0x2000 bytes; not needed\n" in shown
    assert shown.endswith(NEXT)


def test_data_pages_that_nobody_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake = proc(tmp_path / "self", {VDSO: PAGES}, vdso=(VDSO, len(PAGES)), vvar_vclock=(VDSO + 0x8000, 0x1000))
    assert dump_vdso.main([str(tmp_path / "out")], fake) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["vdso.so"]
    assert "vvar_vclock: 0x1000 bytes that Linux lets nobody read; not needed\n" in capsys.readouterr().out


def fails(capsys: pytest.CaptureFixture[str], words: list[str], fake: Path, status: int = 1) -> str:
    assert dump_vdso.main(words, fake) == status
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("dump_vdso: ")
    assert shown.err.count("\n") == 1
    return shown.err


GDB = "take a core file with gdb (generate-core-file) instead\n"


def test_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = [str(tmp_path / "out")]
    assert f"{tmp_path}/absent/maps: can't be read: No such file" in fails(capsys, out, tmp_path / "absent")
    none = proc(tmp_path / "none", {})
    assert f"{none}/maps: no [vdso] in it; run this on a Linux with a vDSO" in fails(capsys, out, none)
    short = proc(tmp_path / "short", {VDSO: PAGES[:0x800]}, vdso=(VDSO, 0x2000))
    where = f"the vDSO, 0x2000 bytes at {VDSO:#x},"
    assert f"{short}/mem: {where} can't be read: it ends after 0x800 bytes; {GDB}" in fails(capsys, out, short)
    (short / "mem").unlink()
    assert f"{short}/mem: {where} can't be read: No such file or directory; {GDB}" in fails(capsys, out, short)
    other = proc(tmp_path / "other", {VDSO: b"odd " * 0x800}, vdso=(VDSO, 0x2000))
    assert f"{other}/mem: {where} is no ELF file: it starts with 6f646420; {GDB}" in fails(capsys, out, other)
    narrow = build(Spec(bits=32)).ljust(0x2000, b"\0")
    compat = proc(tmp_path / "compat", {VDSO: narrow}, vdso=(VDSO, 0x2000))
    assert f"{sys.executable}: a 32-bit vDSO, as this Python is a 32-bit program; run it" in fails(capsys, out, compat)
    assert not Path(*out).exists()
    good = proc(tmp_path / "good", {VDSO: PAGES}, vdso=(VDSO, len(PAGES)))
    (tmp_path / "file").touch()
    assert f"{tmp_path}/file/vdso.so: can't be written: " in fails(capsys, [str(tmp_path / "file")], good)


def test_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--out: not known; usage: python3 dump_vdso.py [FOLDER]" in fails(capsys, ["--out"], tmp_path, 2)
    assert "a b: not known" in fails(capsys, ["a", "b"], tmp_path, 2)
    assert dump_vdso.main(["-h"], tmp_path) == 0
    assert "python3 dump_vdso.py [FOLDER]" in capsys.readouterr().out


def test_old_pythons_take_it() -> None:
    tree = ast.parse(SCRIPT.read_text(), feature_version=(3, 6))
    imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    imported += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert sorted(imported) == ["pathlib", "platform", "struct", "sys", "typing"]
