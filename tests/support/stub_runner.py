# SPDX-License-Identifier: MIT
"""The test machine that runs the stubs: that of the architecture that is the default."""

from __future__ import annotations

from arch.riscv64.machine import Machine
from one_cpu import BUFFER, LOAD, PAGE, CounterTrap, Result

__all__ = ["BUFFER", "LOAD", "PAGE", "CounterTrap", "Machine", "Result"]
