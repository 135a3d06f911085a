# SPDX-License-Identifier: MIT
"""What `scons bench` measures of code for loongarch64."""

from __future__ import annotations

from arch.loongarch64.machine import Machine
from bench.calls import GETCPU
from bench.measured import Measured, Most
from vdso.arch.loongarch64.facts import LOONGARCH64

MEASURED = Measured(
    arch=LOONGARCH64,
    machine=Machine,
    most=Most(clock=31, day=33, without=24, tool=("clang", "version 19.")),
    linux=40,
    calls=(GETCPU,),
)
