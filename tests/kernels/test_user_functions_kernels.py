# SPDX-License-Identifier: MIT
"""Functions of the user's own on both example kernels: a program finds and calls them, the kernel counts system calls."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from kernel_builds import EXAMPLES, KERNELS, PROGRAMS, build_kernel, build_vdso, program, session_folder
from kernels.selftest_report import read_tap, selftest
from machines import MACHINES
from qemu import Run, boot

pytestmark = pytest.mark.xdist_group("qemu")

GETCPU = "getcpu"
CALLS = 1000
MORE = 2  # of getcpu: with NULL, and by sched_getcpu()
HZ = 10_000_000  # of QEMU's virt machine
SOURCES = " ".join(str(EXAMPLES / "user-functions" / name) for name in ("getcpu.c", "timebase_hz.c"))


@dataclass(frozen=True)
class Said:
    hz: int
    cpu: int
    node: int
    null: int
    libc: int


@cache
def blob(page: str) -> Path:
    return build_vdso(session_folder() / f"user-functions-{page}", f"EXTRA_SRC={SOURCES}", f"DATA_PAGE={page}")


@cache
def kernel(name: str) -> Path:
    return build_kernel(name, session_folder() / f"user-functions-kernel-{name}", vdso=blob("after"))


def guest() -> Path:
    return program(PROGRAMS / "user_functions.c", *MACHINES["riscv64"].reader)


def calls(guest_kernel: Path, log: Path, *words: str, cpus: int) -> tuple[Run, Said]:
    done = boot(guest_kernel, guest(), words, [str(CALLS)], cpus=cpus, log=log)
    assert done.exit == 0, done.text
    line = r"^user_functions: timebase_hz=(\d+) cpu=(\d+) node=(\d+) null=(-?\d+) libc=(-?\d+)$"
    found = re.search(line, done.text, re.M)
    assert found, done.text
    return done, Said(*map(int, found.groups()))


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize(("cpus", "words"), [(1, ()), (2, ("write=20",))], ids=["one hart", "one for programs"])
def test_no_system_call_where_one_cpu_runs_programs(name: str, cpus: int, words: tuple[str, ...], tmp_path: Path) -> None:
    done, said = calls(kernel(name), tmp_path / "guest.txt", *words, cpus=cpus)
    assert said == Said(hz=HZ, cpu=0, node=0, null=0, libc=0)
    assert done.syscalls(GETCPU) == 0
    assert done.values["counter_traps"] == 0


@pytest.mark.parametrize("name", KERNELS)
def test_the_kernel_is_asked_where_more_do(name: str, tmp_path: Path) -> None:
    done, said = calls(kernel(name), tmp_path / "guest.txt", cpus=4)
    assert (said.hz, said.node, said.null) == (HZ, 0, 0)
    assert 0 <= said.cpu < 4
    assert 0 <= said.libc < 4
    assert done.syscalls(GETCPU) == CALLS + MORE


@pytest.mark.parametrize("name", KERNELS)
def test_the_selftest_is_content(name: str, tmp_path: Path) -> None:
    """It holds `getcpu` against the system call, and looks through all exports and both hash tables."""
    done = boot(kernel(name), selftest(), log=tmp_path / "guest.txt", cpus=1)
    found = read_tap(done.text)
    assert (done.exit, found.failures) == (0, {}), found.text


def test_with_the_data_page_before_the_image(tmp_path: Path) -> None:
    before = build_kernel("c", tmp_path / "kernel", vdso=blob("before"))
    done, said = calls(before, tmp_path / "guest.txt", cpus=1)
    assert (said.hz, done.syscalls(GETCPU)) == (HZ, 0)


def test_a_kernel_that_writes_nothing_is_asked(tmp_path: Path) -> None:
    """Zero, as vdso_data_init leaves the words, is the answer that is right on every kernel."""
    store = "\tVDSO_STORE(page.data.extra[WORD_ONLY_CPU], program_cpus == 1 ? 0 + 1 : 0);\n"
    silent = build_kernel("c", tmp_path / "kernel", {"vdso_kernel.c": (store, "\t(void)program_cpus;\n")}, blob("after"))
    done, said = calls(silent, tmp_path / "guest.txt", cpus=1)
    assert (said.cpu, done.syscalls(GETCPU)) == (0, CALLS + MORE)
