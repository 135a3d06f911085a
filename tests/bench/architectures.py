# SPDX-License-Identifier: MIT
"""The architectures whose code is measured."""

from __future__ import annotations

from arch.aarch64 import measured as aarch64
from arch.loongarch64 import measured as loongarch64
from arch.riscv64 import measured as riscv64
from arch.x86_64 import measured as x86_64

from .measured import Measured

MEASURED: dict[str, Measured] = {row.MEASURED.arch.name: row.MEASURED for row in (riscv64, loongarch64, aarch64, x86_64)}
