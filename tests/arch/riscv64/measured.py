# SPDX-License-Identifier: MIT
"""What `scons bench` measures of code for riscv64."""

from __future__ import annotations

from arch.riscv64.machine import Machine
from bench import cycles
from bench.calls import GETCPU, Call
from bench.measured import Measured, Most
from stub_runner import BUFFER
from vdso.arch.riscv64.facts import RISCV64

MEASURED = Measured(
    arch=RISCV64,
    machine=Machine,
    most=Most(clock=30, day=32, without=23, tool=("gcc", " 12.")),
    linux=49,
    calls=(
        GETCPU,
        Call("flush_icache", "", (BUFFER, BUFFER + 64, 0)),
        Call("riscv_hwprobe", "", (BUFFER, 1, 0, 0, 0)),
    ),
    cycles=cycles.rows,
)
