# SPDX-License-Identifier: MIT
"""The example kernels that measure their counter beside the PIT, while the CPU stands still, as a busy host lets it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from kernel_builds import build_kernel
from kernels.selftest_report import read_tap, selftest
from qemu import boot

FIRST, LAST = "first = sample();\n", "last = sample();\n"
IS_OVER = "the count is over"
FEW = "too little is left of the count"


@dataclass(frozen=True)
class Late:
    """How the CPU stands still in the midst of a measurement.

    file        of the kernel's that measures
    before      what stands there before the name of a sample
    once        waits, the first time, until a condition
    until       conditions of the count
    """

    file: str
    before: str
    once: str
    until: Mapping[str, str]


KERNELS = {
    "c-x86_64": Late(
        "x86_64/tsc.c",
        "",
        "{{ static int late; while (!late && {until}); late = 1; }} ",
        {FEW: "sample().pit > PIT_TICKS / 2", IS_OVER: "!(in(0x61) & 0x20)"},
    ),
    "rust-x86_64": Late(
        "src/x86_64/tsc.rs",
        "let ",
        "static LATE: AtomicU64 = AtomicU64::new(0);"
        " while LATE.load(Ordering::Relaxed) == 0 && {until} {{}} LATE.store(1, Ordering::Relaxed); ",
        {FEW: "sample().pit > PIT_TICKS / 2", IS_OVER: "!is_over()"},
    ),
}


@pytest.mark.xdist_group("qemu")
@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize(
    ("line", "until"),
    [
        pytest.param(FIRST, FEW, id="too little is left of the count"),
        pytest.param(FIRST, IS_OVER, id="the count is over before its first sample"),
        pytest.param(LAST, IS_OVER, id="the count is over before its last sample"),
    ],
)
def test_a_count_that_is_late_is_begun_anew(name: str, line: str, until: str, tmp_path: Path) -> None:
    late = KERNELS[name]
    found = late.before + line
    elf = build_kernel(name, tmp_path, {late.file: (found, late.once.format(until=late.until[until]) + found)})
    run = boot(elf, selftest("x86_64"), ["vdso=on"], cpus=2, seconds=60, log=tmp_path / "guest.txt")
    assert (run.exit, read_tap(run.text).failures) == (0, {}), run.text
