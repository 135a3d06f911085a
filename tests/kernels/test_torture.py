# SPDX-License-Identifier: MIT
"""The clock in a running kernel: threads on three cpus read it through the vDSO while a fourth keeps changing it."""

from __future__ import annotations

import re
from pathlib import Path

import kernel_builds
import pytest
from machines import machine_of
from qemu import Run, boot

pytestmark = pytest.mark.xdist_group("qemu")

THREADS = 4
READS = 10_000_000
SECONDS = 60
"""The writer ends then. Readers that it has held up go on alone, so that a run ends on a slow machine too."""

CLOCK_GETTIME = "clock_gettime"

# The reader of vdso_src/plain_row.h without its check. A row never has the state NEVER: a row that is not valid has a shift as
# its state, which is less. The reader takes the second of the row once more, after another read of the counter: the writer has
# more time to come between, so that one boot shows it.
NEVER = "VDSO_LOAD(again->state) == VDSO_STATE_COUNT"
UNCHECKED = f"((void)vdso_counter_unordered(), sec = VDSO_LOAD(row->sec), {NEVER})"
CHECK = "__builtin_expect(state != VDSO_LOAD(again->state), 0)"
NO_CHECK = {"vdso_src/plain_row.h": (CHECK, UNCHECKED)}
OWN_READER = {"x86_64": {"vdso_src/x86_64/read_row.h": ("__builtin_expect(!same, 0)", f"!same && {UNCHECKED}")}}
"""Architectures whose reader is another, with that one."""

# The writer of each kernel with the counter read before `begin`.
EARLY_COUNTER = {
    "c": {
        "vdso_kernel.c": (
            "\tlock(&clock_lock);\n\tvdso_data_begin(&page.data);\n\treturn counter();\n",
            "\tuint64_t now = counter();\n\tlock(&clock_lock);\n\tvdso_data_begin(&page.data);\n\treturn now;\n",
        )
    },
    "rust": {
        "src/vdso_kernel.rs": (
            "    let _lock = CLOCK.lock();\n    let update = DATA.0.begin();\n    let now = counter();\n",
            "    let now = counter();\n    let _lock = CLOCK.lock();\n    let update = DATA.0.begin();\n",
        )
    },
}


def torture(kernel: Path, log: Path) -> tuple[Run, dict[str, int]]:
    """Return the record of a run, and the program's counts. The program stops at the first read that is wrong."""
    machine = machine_of(kernel)
    program = kernel_builds.program(kernel_builds.PROGRAMS / "torture.c", *machine.reader, arch=machine.arch)
    args = [str(THREADS), str(READS), str(machine.hz or 0)]
    run = boot(kernel, program, [f"write={SECONDS * 1000}"], args, cpus=4, seconds=3 * SECONDS, log=log)
    line = re.search(r"^torture: (reads=.*)$", run.text, re.M)
    assert line, f"the program did not come to its end; what it printed is in {log}"
    counts = {name: int(value) for name, value in (pair.split("=") for pair in line[1].split())}
    counts["met"] = run.syscalls(CLOCK_GETTIME) - counts["direct"]
    print(f"{line[0]} met_writer={counts['met']} updates={run.values['updates']}")
    return run, counts


@pytest.mark.parametrize("name", kernel_builds.ALL_KERNELS)
def test_ten_million_reads_beside_a_writer(name: str, tmp_path: Path) -> None:
    run, counts = torture(kernel_builds.kernel(name), tmp_path / "guest.txt")
    assert (counts["torn"], counts["back"], run.exit) == (0, 0, 0), run.text
    assert counts["reads"] == READS
    assert counts["cpus"] == 3
    assert counts["met"] > 0
    assert run.values["counter_traps"] == 0


@pytest.mark.parametrize("name", kernel_builds.ALL_KERNELS)
def test_a_reader_that_does_not_check_is_caught(name: str, tmp_path: Path) -> None:
    arch = kernel_builds.ALL_KERNELS[name].arch
    blob = kernel_builds.build_vdso(tmp_path / "vdso", replace=OWN_READER.get(arch, NO_CHECK), arch=arch)
    run, counts = torture(kernel_builds.build_kernel(name, tmp_path / "kernel", vdso=blob), tmp_path / "guest.txt")
    assert run.exit == 1
    assert counts["torn"] + counts["back"] > 0


@pytest.mark.parametrize("name", kernel_builds.ALL_KERNELS)
def test_a_counter_read_before_begin_is_caught(name: str, tmp_path: Path) -> None:
    kernel = kernel_builds.build_kernel(
        name, tmp_path / "kernel", replace=EARLY_COUNTER[kernel_builds.ALL_KERNELS[name].language]
    )
    run, counts = torture(kernel, tmp_path / "guest.txt")
    assert run.exit == 1
    assert counts["back"] > 0
