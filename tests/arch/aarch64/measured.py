# SPDX-License-Identifier: MIT
"""What `scons bench` measures of code for aarch64."""

from __future__ import annotations

from arch.aarch64.machine import Machine
from bench.measured import Measured, Most
from vdso.arch.aarch64.facts import AARCH64

MEASURED = Measured(
    arch=AARCH64,
    machine=Machine,
    most=Most(clock=30, day=33, without=21, tool=("gcc", " 12.")),
    linux=38,
)
