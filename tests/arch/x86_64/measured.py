# SPDX-License-Identifier: MIT
"""What `scons bench` measures of code for x86_64."""

from __future__ import annotations

from arch.x86_64.machine import Machine
from bench.measured import Measured, Most
from vdso.arch.x86_64.facts import X86_64

MEASURED = Measured(
    arch=X86_64,
    machine=Machine,
    most=Most(clock=33, day=33, without=29, tool=("gcc", " 12.")),
    linux=52,
)
