# SPDX-License-Identifier: MIT
"""The counter in a running kernel: where programs may not read it, and where it is a word of a page of a device."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from kernel_builds import KERNELS, PROGRAMS, build_kernel, build_vdso, kernel, program
from kernels.program_builds import static
from kernels.selftest_report import CLOCKS, COST, COUNTER, RESTARTED, read_tap, selftest
from qemu import Run, boot

pytestmark = pytest.mark.xdist_group("qemu")

CLOCK_GETTIME, CLOCK_GETRES, RT_SIGRETURN = "clock_gettime", "clock_getres", "rt_sigreturn"
CPUS = 4
FORBIDDEN = "counter=off"
KILLED = 128 + 11

kernels = pytest.mark.parametrize("name", KERNELS)
libcs = pytest.mark.parametrize("libc", ["glibc", "musl"])


@pytest.fixture(scope="module")
def devices(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return each example kernel with a vDSO that reads mtime."""
    folder = tmp_path_factory.mktemp("device")
    vdso = build_vdso(folder / "vdso", "COUNTER=mmio:0xff8")
    return {name: build_kernel(name, folder / name, vdso=vdso) for name in KERNELS}


def clocks(elf: Path, folder: Path, *words: str, libc: str = "glibc", counter_page: bool = False) -> tuple[Run, dict[str, int]]:
    """Run the program that compares every clock with system calls, in threads. Return the run and what the program counted."""
    guest, log = static("clocks", libc), folder / "guest.txt"
    run = boot(elf, guest, words, ["0", "4"], cpus=CPUS, log=log, seconds=120, counter_page=counter_page)
    said = re.search(r"^ok (.*)$", run.text, re.M)
    assert run.exit == 0, run.text
    assert said, run.text
    return run, {name: int(value) for name, value in (pair.split("=") for pair in said[1].split())}


@kernels
@libcs
def test_on_a_disabled_page_no_program_reads_a_counter_that_is_forbidden(name: str, libc: str, tmp_path: Path) -> None:
    """No read reaches the firmware, which would answer it, or kills the program; and no handler returns from a signal."""
    run, counts = clocks(kernel(name), tmp_path, FORBIDDEN, "page=off", libc=libc)
    assert (run.values["counter_traps"], run.syscalls(RT_SIGRETURN)) == (0, 0)
    assert run.syscalls(CLOCK_GETTIME) == counts["served"] + counts["clock_gettime"]
    assert run.syscalls(CLOCK_GETRES) == counts["getres_served"] + counts["clock_getres"]


@kernels
def test_the_selftest_does_not_ask_for_a_counter_that_nobody_reads(name: str, tmp_path: Path) -> None:
    words = ["vdso=on", FORBIDDEN, "page=off"]
    run = boot(kernel(name), selftest(), words, cpus=2, log=tmp_path / "guest.txt", seconds=120)
    found = read_tap(run.text)
    assert (run.exit, found.failures) == (0, {}), found.text
    skips = dict(found.skips)
    if COUNTER in skips:  # firmware passes the read on to the kernel, where others answer it
        assert {COST, COUNTER, RESTARTED} <= skips.keys()
        assert "need not: the data page is disabled" in skips.pop(COUNTER)
        assert {skips.pop(test) for test in (COST, RESTARTED)} == {"not tried: user mode can't read the counter"}
    else:
        assert "disable" in skips.pop(COST)
    assert skips.keys() == {"gettimeofday", *CLOCKS}, found.text
    assert all("vdso_data_disable() was called" in reason for reason in skips.values()), found.text


@kernels
def test_a_counter_of_a_device(name: str, devices: dict[str, Path], tmp_path: Path) -> None:
    """The time is right on four cpus, no clock that is served makes a system call, and no read of the counter traps."""
    run, counts = clocks(devices[name], tmp_path, FORBIDDEN, counter_page=True)
    assert run.syscalls(RT_SIGRETURN) == 0
    assert run.values["counter_traps"] == 0
    assert counts["served"] > 2000
    assert run.syscalls(CLOCK_GETTIME) == counts["clock_gettime"]
    assert run.syscalls(CLOCK_GETRES) == counts["clock_getres"]


@kernels
def test_the_selftest_with_a_counter_of_a_device(name: str, devices: dict[str, Path], tmp_path: Path) -> None:
    log = tmp_path / "guest.txt"
    run = boot(devices[name], selftest(), ["vdso=on", FORBIDDEN], cpus=2, log=log, seconds=120, counter_page=True)
    found = read_tap(run.text)
    assert (run.exit, found.failures, found.skips) == (0, {}, {}), found.text


@kernels
def test_programs_reach_no_other_device(name: str, devices: dict[str, Path], tmp_path: Path) -> None:
    for place in ("200b000", "2000000", "ffffffc00200b000"):
        log = tmp_path / f"{place}.txt"
        run = boot(devices[name], program(PROGRAMS / "touch.c"), [], ["read", place], log=log, counter_page=True)
        assert run.exit == KILLED, place
