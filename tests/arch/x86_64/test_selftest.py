# SPDX-License-Identifier: MIT
"""What vdso-selftest says of `time`, which no other architecture has."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernel_builds import build_kernel
from kernels.selftest_report import Report, read_tap, selftest
from qemu import boot

OTHERS = "the other exports"
TIME = "\tif (clock_read(5, &sec, &nsec))\n"


def found(folder: Path, before: str) -> Report:
    """Return the report of a kernel whose system call `time` begins with those statements."""
    elf = build_kernel("c-x86_64", folder, {"syscall.c": (TIME, f"{before}\n{TIME}")})
    return read_tap(boot(elf, selftest("x86_64"), ["vdso=on"], cpus=2, seconds=60, log=folder / "guest.txt").text)


@pytest.mark.xdist_group("qemu")
@pytest.mark.parametrize("answer", ["-ENOSYS", "0", "clock_read(5, &sec, &nsec) ? 0 : sec - 1"])
def test_a_time_that_the_vdso_does_not_tell_is_a_failure(answer: str, tmp_path: Path) -> None:
    report = found(tmp_path, f"\tif (!to)\n\t\treturn {answer};")
    assert set(report.failures) == {OTHERS}, report.text
    assert "__vdso_time answers" in report.failures[OTHERS]


@pytest.mark.xdist_group("qemu")
def test_a_second_that_begins_between_two_calls_is_none(tmp_path: Path) -> None:
    """Each first answer is a second behind, as it is where the kernel\'s tick has not come yet."""
    report = found(tmp_path, "\tstatic int calls;\n\tif (calls++ < 2 && !clock_read(5, &sec, &nsec))\n\t\treturn sec - 1;")
    assert not report.failures, report.text
