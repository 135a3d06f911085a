# SPDX-License-Identifier: MIT
"""Builds that are killed, starved, crowded or told the wrong time: the next run makes what a clean build makes.

And a failed run says so and leaves the earlier outputs. The runs here are of BASE=minimal, test_faults_debian has the
others. With `--full` the numbers are those of docs/reliability.md.
"""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from elf_builder import Spec
from elf_builder import build as build_base
from faults import OUTPUTS, UP_TO_DATE, Scons, contents, copy_tree, largest_file, other_user, seconds
from vdso.arch import ARCHES, DEFAULT

MINIMAL = "BASE=minimal"
ONE = (MINIMAL,)
OTHER = (MINIMAL, "DATA_PAGE=none", "TIMEBASE_HZ=10000000")  # for which all stubs are compiled anew
MOVED = (MINIMAL, "LOAD_ADDR=0x500000000")  # for which only the outputs are made anew
FORGETFUL = {"site_scons/site_tools/vdso/scons/build_memory.py": ("        building.touch()\n", "")}


ARCH = {arch: (f"ARCH={arch}",) if arch != DEFAULT.name else () for arch in ARCHES}
KILLS = 2
"""Of each architecture, and fifty with `--full`."""


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], dict[str, bytes]]:
    """Return the outputs of clean builds."""
    return {words: Scons(tmp_path_factory.mktemp("clean") / "out").good(*words) for words in (ONE, OTHER, MOVED)}


Right = dict[tuple[str, ...], dict[str, bytes]]


@pytest.mark.parametrize("arch", ARCH)
def test_killed_at_random_points(arch: str, tmp_path: Path, full: bool) -> None:
    """Half of the runs after a kill go back to the earlier settings, half go on; one kill in four is of a first build."""
    chance = random.Random(arch)
    scons = Scons(tmp_path / "out")
    settings = [(*ARCH[arch], *words) for words in (ONE, OTHER)]
    right = {words: Scons(tmp_path / f"clean-{index}").good(*words) for index, words in enumerate(settings)}
    now, kills = settings[0], 0
    whole = seconds(lambda: scons.good(*now))
    while kills < (50 if full else KILLS):
        before, then = now, settings[1 - settings.index(now)]
        if chance.random() < 0.25:
            shutil.rmtree(scons.out)
        jobs = chance.choice(("-j1", "-j8"))
        if not scons.killed(chance.uniform(0, whole), *then, jobs):
            now = then
            continue
        kills += 1
        now = before if kills % 2 else then
        assert scons.good(*now) == right[now], f"kill {kills}"
        assert not list(scons.out.rglob(".*.aside")), f"kill {kills}"
    assert scons.run(*now).stdout == UP_TO_DATE


def test_killed_before_a_file_appears(tmp_path: Path, right: Right, full: bool) -> None:
    scons = Scons(tmp_path / "out")
    scons.good(*ONE)
    late = ["vdso.rs", ".sconsign.dblite"]
    for at in [*late, "plan.json", "image.so", "vdso.so", "vdso.json"] if full else late:
        words = OTHER if at in ("plan.json", "image.so") else MOVED
        assert scons.faulty(tmp_path, "kill", at, *words).returncode == -9, at
        assert scons.good(*ONE) == right[ONE], at


def test_without_the_mark_the_outputs_of_a_killed_build_would_be_believed(tmp_path: Path, right: Right) -> None:
    """The two tests above can fail."""
    scons = Scons(tmp_path / "out", copy_tree(tmp_path / "tree", FORGETFUL))
    scons.good(*ONE)
    scons.faulty(tmp_path, "kill", ".sconsign.dblite", *MOVED)
    assert scons.run(*ONE).stdout == UP_TO_DATE
    for words, same in ((MOVED, True), (ONE, False)):
        for name in ("vdso.h", "vdso.rs"):  # vdso.json also tells the digest of our code, which is another one here
            assert (contents(scons.out)[name] == right[words][name]) is same, (words, name)


@pytest.mark.parametrize("at", [".sconsign.tmp", ".vdso.rs"])
def test_no_room_for_one_file(tmp_path: Path, right: Right, at: str) -> None:
    """The one that SCons remembers with, and one of five outputs."""
    scons = Scons(tmp_path / "out")
    scons.good(*ONE)
    done = scons.faulty(tmp_path, "full", at, *OTHER)
    assert done.returncode == 2
    assert "No space left on device" in done.stdout + done.stderr
    assert contents(scons.out) == (right[OTHER] if at == ".sconsign.tmp" else right[ONE])
    assert scons.good(*ONE) == right[ONE]


def test_no_large_files(tmp_path: Path, right: Right, full: bool) -> None:
    """A limit on files' sizes stops gcc, ld, or us in the middle of a file."""
    scons = Scons(tmp_path / "out")
    scons.good(*ONE)
    for size in (500, 1500, 2500, 4000, 12000, 20000) if full else (1500, 20000):
        done = scons.run(*OTHER, before=largest_file(size))
        assert done.returncode == 2, f"{size}: {done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        assert contents(scons.out) == right[ONE], size
    assert scons.good(*ONE) == right[ONE]


def test_disk_full(tmp_path: Path, right: Right, full: bool) -> None:
    """A file system of half a MiB, where we may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "none", disk]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here ({done.stderr.strip()}): the two tests above are all that is tried")
    try:
        scons, ballast = Scons(disk / "out"), disk / "ballast"
        scons.good(*ONE)
        for room in (0, 8, 24, 40, 60, 80) if full else (0, 60):
            with ballast.open("wb") as file:
                file.write(bytes(free(disk) - room * 1024))
            done = scons.run(*OTHER)
            ballast.unlink()
            told = f"{room} KiB left: {done.stdout}{done.stderr}"
            assert done.returncode == 2, told
            assert "Traceback" not in done.stderr, told
            assert contents(scons.out) == right[ONE], told
        assert scons.good(*ONE) == right[ONE]
    finally:
        subprocess.run(["umount", disk], check=True)


def free(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def test_output_that_can_not_be_written(tmp_path: Path, right: Right) -> None:
    out = tmp_path / "out"
    Scons(out).good(*ONE)
    (out / "work").chmod(0o555)
    out.chmod(0o555)
    done = Scons(out).run(*OTHER, prefix=other_user())
    assert done.returncode == 2
    assert f"OUT: {out}: can't be written: Permission denied; name a folder of your own" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert contents(out) == right[ONE]
    out.chmod(0o755)


def test_a_second_build_waits_for_the_first(tmp_path: Path, right: Right) -> None:
    scons = Scons(tmp_path / "out")
    scons.out.mkdir()
    folder = os.open(scons.out, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)  # as a build does
    process = scons.start(*ONE)
    assert process.stderr
    try:
        assert process.stderr.readline() == f"  WAIT    another build is at work in {scons.out}\n"
        time.sleep(0.2)
        assert process.poll() is None
        assert not any(scons.out.iterdir())
    finally:
        os.close(folder)
        process.communicate()
    assert process.returncode == 0
    assert contents(scons.out) == right[ONE]


def test_two_builds_at_once(tmp_path: Path, right: Right, full: bool) -> None:
    scons = Scons(tmp_path / "out")
    for _ in range(10 if full else 1):
        running = [scons.start(*words) for words in (ONE, (*OTHER, "-j8"))]
        printed = [process.communicate() for process in running]
        assert [process.returncode for process in running] == [0, 0], printed
        assert contents(scons.out) in right.values()
        assert scons.good(*ONE) == right[ONE]


def test_a_linker_that_dies_is_not_believed(tmp_path: Path, right: Right) -> None:
    """As one that runs out of memory: half a file is there, and the settings go back to those that it was made for before."""
    broken = tmp_path / "broken"
    for tool in ("gcc", "ld"):
        real = shutil.which(f"riscv64-linux-gnu-{tool}")
        wrapper = tmp_path / f"weak-{tool}"
        dies = f'for last; do :; done; {real} "$@"; [ -e "{broken}" ] || exit 0; truncate -s 900 "{{}}/stubs.elf"; kill -9 $$'
        wrapper.write_text("#!/bin/sh\n" + (dies.format(tmp_path / "out/work") if tool == "ld" else f'exec {real} "$@"') + "\n")
        wrapper.chmod(0o755)
    scons, weak = Scons(tmp_path / "out"), f"CROSS_COMPILE={tmp_path}/weak-"
    good = scons.good(*ONE, weak)
    broken.touch()
    assert scons.run(*OTHER, weak).returncode == 2
    assert contents(scons.out) == good
    broken.unlink()
    assert scons.good(*ONE, weak) == good
    assert good["vdso.so"] == right[ONE]["vdso.so"]


def test_times_of_files_say_nothing(tmp_path: Path) -> None:
    """Another base with the size and the time of the first, as tarballs and stores have it; then one from the past."""
    base = tmp_path / "given.so"
    scons = Scons(tmp_path / "out")
    made = []
    for spec, stamp in ((Spec(), 10**6), (Spec(linux=0x060100), 10**6), (Spec(), 4 * 10**9), (Spec(linux=0x060100), 1)):
        base.write_bytes(build_base(spec))
        os.utime(base, (stamp, stamp))
        made.append(scons.good(f"BASE={base}"))
    assert made[0] == made[2] != made[1] == made[3]


def test_clock_set_back(tmp_path: Path, right: Right) -> None:
    """A build in 2031, outputs that seem to come from there, a change today, and a day in 2001."""
    scons = Scons(tmp_path / "out")
    assert scons.run(*ONE, prefix=("faketime", "2031-05-05 05:05:05")).returncode == 0
    for name in OUTPUTS:
        os.utime(scons.out / name, (2_000_000_000, 2_000_000_000))
    assert contents(scons.out) == right[ONE]
    assert scons.good(*OTHER) == right[OTHER]
    assert scons.run(*ONE, prefix=("faketime", "2001-01-01 01:01:01")).returncode == 0
    assert contents(scons.out) == right[ONE]


def test_names_that_mean_something_to_a_shell(tmp_path: Path, right: Right) -> None:
    scons = Scons(tmp_path / "a `touch pwned`; touch pwned & ' b")
    source = tmp_path / "`id>pwned`.c"
    source.write_text("long __vdso_getcpu(void) { return 7; }\n")
    done = scons.run(*ONE, "-j8")
    assert done.returncode == 0, done.stderr
    assert contents(scons.out) == right[ONE]
    scons.good(*ONE, f"EXTRA_SRC={source}")
    dollar = Scons(tmp_path / "$(touch pwned)").run(*ONE)
    assert (dollar.returncode, "SCons takes a `$` in it for a variable; give" in dollar.stderr) == (2, True)
    assert not [path for folder in (tmp_path, scons.root, Path.cwd()) for path in folder.glob("pwned*")]
