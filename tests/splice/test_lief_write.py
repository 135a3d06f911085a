# SPDX-License-Identifier: MIT
"""LIEF in its own process: what becomes of a build when that dies, hangs, or can't begin."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from elf_builder import Spec, build
from repository import IMPORTS
from vdso.elf.elf64 import EHDR, PHDR
from vdso.errors import VdsoError
from vdso.splice import lief_write
from vdso.splice.lief_write import write_with_lief

SECTIONLESS = build(Spec(sections=False))
CODE = EHDR.size + PHDR.size * 16  # behind all headers
PROGRAM = lief_write._PROGRAM.read_bytes()


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a file that replaces lief_child.py. No process runs before the test, and none after it."""
    path = tmp_path / "child.py"
    monkeypatch.setattr(lief_write, "_PROGRAM", path)
    monkeypatch.setattr(lief_write, "_child", None)
    yield path
    if lief_write._child is not None:
        lief_write._child.kill()


def test_a_patch_is_written() -> None:
    written = write_with_lief(SECTIONLESS, [(CODE, b"\x13\0\0\0")])
    assert written[CODE : CODE + 4] == b"\x13\0\0\0"
    assert (written[:CODE], written[CODE + 4 :]) == (SECTIONLESS[:CODE], SECTIONLESS[CODE + 4 :])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("import os; input(); os.abort()", "its process ended with status -6"),
        ("raise SystemExit(3)", "its process ended with status 3"),
        ("import os; input(); print('{', end='', flush=True); os.kill(os.getpid(), 9)", "its process ended with status -9"),
        ("import time; time.sleep(600)", "gave no answer in 1 s"),
    ],
)
def test_a_death_is_one_error_and_the_next_build_has_a_new_process(
    text: str, what: str, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.write_text(text)
    monkeypatch.setattr(lief_write, "SECONDS", 1)
    size = f"{len(SECTIONLESS):#x}"
    with pytest.raises(VdsoError, match=f"^LIEF: an image of {size} bytes can't be written: {what}; report it, with the base$"):
        write_with_lief(SECTIONLESS, [(CODE, b"\x13\0\0\0")])
    program.write_bytes(PROGRAM)
    monkeypatch.setattr(lief_write, "SECONDS", 60)
    test_a_patch_is_written()


def test_an_answer_that_nobody_waited_for_is_not_the_next_ones(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    program.write_bytes(PROGRAM)
    with monkeypatch.context() as patched:
        patched.setattr(lief_write.select, "select", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_with_lief(SECTIONLESS, [(CODE, b"\x17\0\0\0")])
    test_a_patch_is_written()


def test_what_lief_does_not_read_and_a_lief_that_is_not_there(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program.write_bytes(PROGRAM)
    with pytest.raises(VdsoError, match="LIEF can't read it"):
        write_with_lief(b"\x7fFLE" + SECTIONLESS[4:], [])
    assert lief_write._child is not None
    lief_write._child.kill()
    monkeypatch.setattr(lief_write, "_child", None)
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(VdsoError, match="ModuleNotFoundError: No module named 'lief'"):
        write_with_lief(SECTIONLESS, [])


def test_it_ends_with_the_process_that_started_it() -> None:
    own = f"import sys; sys.path[:0] = {IMPORTS!r}; from vdso.splice import lief_write as l"
    text = f"{own}; l.start(); print(l._child.pid)"
    for end in ("", "; import os; sys.stdout.flush(); os.kill(os.getpid(), 9)"):
        pid = int(subprocess.run([sys.executable, "-c", text + end], capture_output=True, check=False).stdout)
        deadline = time.monotonic() + 60
        while _runs(pid):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def _runs(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
