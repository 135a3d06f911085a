# SPDX-License-Identifier: MIT
"""`scons info`: what it says, and that it is coloured for a terminal that takes colours and for nothing else."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from elf_builder import FUNCTIONS, Spec, raw
from elf_builder import build as build_base
from repository import ROOT, SOURCES
from scons_build import scons
from vdso import templating
from vdso.arch.riscv64.facts import RISCV64
from vdso.image.reader import read_vdso
from vdso.show.drawing import CELL, LETTERS
from vdso.show.info import describe

MINIMAL = SOURCES / RISCV64.name / "minimal" / "base.so"

SGR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    folder = tmp_path_factory.mktemp("info")
    (folder / "linux.so").write_bytes(build_base(Spec()))
    return ("info", f"BASE={folder / 'linux.so'}", f"OUT={folder / 'out'}", "CROSS_COMPILE=absent-")


def on_a_terminal(words: tuple[str, ...], **environ: str) -> str:
    """Run `scons words` on a pseudo terminal, and return its output."""
    leader, follower = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name not in ("SCONSFLAGS", "NO_COLOR", "TERM")}
    command = [sys.executable, "-m", "SCons", "-Q", "-C", str(ROOT), *words]
    with subprocess.Popen(command, env={**kept, **environ}, stdin=follower, stdout=follower, stderr=follower) as running:
        os.close(follower)
        told = b""
        try:
            while part := os.read(leader, 65536):
                told += part
        except OSError:  # EIO: nobody has the other end open any more
            pass
    os.close(leader)
    assert running.returncode == 0, told
    return told.decode().replace("\r\n", "\n")


def lines(told: str) -> list[str]:
    """Return the lines of info: SCons's lines about its own steps come before them."""
    return told[told.index("vDSO of Linux") :].splitlines()


def test_colours_only_on_a_terminal_that_takes_them(words: tuple[str, ...]) -> None:
    plain = scons(*words, TERM="xterm-256color").stdout  # into a pipe
    assert "\x1b" not in plain
    coloured = on_a_terminal(words, TERM="xterm-256color", NO_COLOR="")  # no-color.org: set, and not empty
    assert "\x1b[1;33mreplace " in coloured
    assert coloured.count("\x1b[0m") == len(SGR.findall(coloured)) / 2
    assert lines(SGR.sub("", coloured)) == lines(plain)
    for environ in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert lines(on_a_terminal(words, **environ)) == lines(plain), environ


def shown(base: bytes, policy: dict[str, str] | None = None, coloured: bool = False) -> str:
    model = read_vdso("base.so", base, RISCV64)
    return templating.render("info.txt.j2", **describe(model, policy or {}, coloured))


def test_the_map_is_to_scale() -> None:
    """A letter for 16 bytes, where it is: the letter of what a list of the same bytes says; a function is never lost."""
    told = shown(build_base(Spec()))
    rows = re.findall(r"^  0x([0-9a-f]{4})  (\S+)$", told, re.M)
    drawn = "".join(letters for _, letters in rows)
    assert [int(at, 16) for at, _ in rows] == list(range(0, len(drawn) * CELL, 64 * CELL))
    regions = re.findall(r"^  0x([0-9a-f]{4}) 0x([0-9a-f]{4}) +(\d+)  (.*)$", told, re.M)
    ends = [0, *(int(end, 16) for _, end, _, _ in regions)]
    assert [int(start, 16) for start, _, _, _ in regions] == ends[:-1], "no gap, nothing twice"
    assert ends[-1] == len(drawn) * CELL
    kinds = {"__vdso_clock_gettime": "R", "__vdso_riscv_hwprobe": "S", "__vdso_getcpu": "K", ".dynsym": "t"}
    for start, end, size, name in regions:
        low, high = int(start, 16), int(end, 16)
        assert high - low == int(size)
        if name in kinds:
            whole = drawn[-(-low // CELL) : high // CELL]
            assert set(whole) <= {kinds[name]}, name
            assert kinds[name] in drawn[low // CELL : -(-high // CELL)], name
    assert set(drawn) <= set(LETTERS.values())


def test_what_becomes_of_each_export() -> None:
    unknown = raw("__vdso_unheard_of", b"\x82\x80")
    base = build_base(Spec(functions=(*FUNCTIONS, unknown)))
    policies = {name: policy for policy, name in re.findall(r"  (\w+) +\d+ +\d+  __vdso_(\w+)$", shown(base), re.M)}
    assert policies == {
        "rt_sigreturn": "keep",
        "clock_gettime": "replace",
        "gettimeofday": "replace",
        "clock_getres": "replace",
        "getcpu": "keep",
        "flush_icache": "keep",
        "riscv_hwprobe": "syscall",
        "unheard_of": "keep",
    }
    asked = shown(base, {"getcpu": "hide", "riscv_hwprobe": "keep"})
    assert re.search(r"hide +\d+ +0  __vdso_getcpu$", asked, re.M)
    assert re.search(
        r"keep .*__vdso_riscv_hwprobe\n +no build will keep it: its code at 0x\w+ forms the address -0x4000", asked
    )


def test_policy_is_looked_at(words: tuple[str, ...]) -> None:
    assert re.search(r"hide +\d+ +0  __vdso_getcpu$", scons(*words, "POLICY=getcpu:hide").stdout, re.M)
    refused = scons(*words, "POLICY=nothing:hide")
    assert refused.returncode == 2
    assert "has no export `nothing`" in refused.stderr


def test_a_name_is_no_command_for_the_terminal() -> None:
    told = shown(build_base(Spec(functions=(*FUNCTIONS, raw("__vdso_\x1b]0;owned\x07\x1b[2J", b"\x82\x80")))))
    assert "\x1b" not in told
    assert "\x07" not in told
    assert told.count("__vdso_\\x1b]0;owned\\x07\\x1b[2J") == 3


@pytest.mark.parametrize(
    "words", [("-h",), ("info", "BASE=minimal"), ("check", f"IMAGE={MINIMAL}")], ids=lambda words: words[0]
)
def test_what_makes_nothing_leaves_nothing(words: tuple[str, ...], tmp_path: Path) -> None:
    """Neither in OUT nor where temporary files are."""
    (tmp_path / "temporary").mkdir()
    done = scons(*words, f"OUT={tmp_path / 'out'}", TMPDIR=str(tmp_path / "temporary"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["temporary"]
