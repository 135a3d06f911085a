# SPDX-License-Identifier: MIT
"""The example functions of a user on each architecture: built, verified, found by their names there, and called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench.architectures import MEASURED
from bench.measured import Measured
from one_cpu import BUFFER, PAGE
from repository import ROOT
from scons_build import build
from syscall_numbers import numbers
from vdso.image.reader import read_vdso
from vdso.verify import verify

SOURCES = " ".join(str(ROOT / "examples" / "user-functions" / name) for name in ("getcpu.c", "timebase_hz.c"))
EXTRA = 3584  # VDSO_EXTRA_OFFSET


def page(only_cpu: int, hz: int) -> bytes:
    """Return a data page with the words of the examples."""
    words = only_cpu.to_bytes(8, "little") + hz.to_bytes(8, "little")
    return (bytes(EXTRA) + words).ljust(PAGE, b"\0")


@pytest.mark.parametrize("measured", MEASURED.values(), ids=MEASURED)
def test_the_examples_run(measured: Measured, tmp_path: Path) -> None:
    arch = measured.arch
    image = (build(tmp_path, f"ARCH={arch.name}", "BASE=minimal", f"EXTRA_SRC={SOURCES}") / "vdso.so").read_bytes()
    assert verify(image, arch).findings == ()
    exports = read_vdso("vdso.so", image, arch).exports
    getcpu, hz = (exports[arch.export(name)].value for name in ("getcpu", "timebase_hz"))
    machine = measured.machine(image, json.loads((tmp_path / "vdso.json").read_text())["data_offset"])

    machine.set_page(page(0, 0))
    asked = machine.call(getcpu, BUFFER, BUFFER + 8, 0, answer=-14)
    assert asked.value == -14
    assert [(number, given[:3]) for number, given in asked.syscalls] == [
        (numbers(arch.name)["GETCPU"], (BUFFER, BUFFER + 8, 0))
    ]
    assert machine.call(hz).value == 0

    machine.set_page(page(6 + 1, 10_000_000))
    told = machine.call(getcpu, BUFFER, BUFFER + 8, 0)
    assert (told.value, told.syscalls) == (0, ())
    assert (told.memory[:4], told.memory[8:12]) == ((6).to_bytes(4, "little"), bytes(4))
    assert machine.call(hz).value == 10_000_000
