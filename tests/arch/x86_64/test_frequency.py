# SPDX-License-Identifier: MIT
"""The example kernel that measures its counter beside the PIT, where the CPU stands still meanwhile, as a busy host lets it."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernel_builds import build_kernel
from kernels.selftest_report import read_tap, selftest
from qemu import boot

NAME = "c-x86_64"
FIRST, LAST = "first = sample();\n", "last = sample();\n"
LATE = "{{ static int late; while (!late && {until}); late = 1; }} "
OVER = "!(in(0x61) & 0x20)"


@pytest.mark.xdist_group("qemu")
@pytest.mark.parametrize(
    ("line", "until"),
    [
        pytest.param(FIRST, "sample().pit > PIT_TICKS / 2", id="too little is left of the count"),
        pytest.param(FIRST, OVER, id="the count is over before its first sample"),
        pytest.param(LAST, OVER, id="the count is over before its last sample"),
    ],
)
def test_a_count_that_is_late_is_begun_anew(line: str, until: str, tmp_path: Path) -> None:
    elf = build_kernel(NAME, tmp_path, {"x86_64/tsc.c": (line, LATE.format(until=until) + line)})
    run = boot(elf, selftest("x86_64"), ["vdso=on"], cpus=2, seconds=60, log=tmp_path / "guest.txt")
    assert (run.exit, read_tap(run.text).failures) == (0, {}), run.text
