# SPDX-License-Identifier: MIT
"""The test machines that run stubs in this process, by architecture, and that of the default one by itself."""

from __future__ import annotations

from collections.abc import Mapping

from arch.aarch64 import machine as aarch64
from arch.riscv64 import machine as riscv64
from arch.x86_64 import machine as x86_64
from one_cpu import BUFFER, LOAD, PAGE, CounterTrap, InProcess, Result

__all__ = ["BUFFER", "LOAD", "MACHINES", "PAGE", "CounterTrap", "Machine", "Result"]

MACHINES: Mapping[str, type[InProcess]] = {
    "riscv64": riscv64.Machine,
    "aarch64": aarch64.Machine,
    "x86_64": x86_64.Machine,
}
Machine = riscv64.Machine
