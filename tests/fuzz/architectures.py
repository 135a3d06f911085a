# SPDX-License-Identifier: MIT
"""The architectures whose files are fuzzed."""

from __future__ import annotations

from arch.aarch64 import fuzzed as aarch64
from arch.loongarch64 import fuzzed as loongarch64
from arch.riscv64 import fuzzed as riscv64
from arch.x86_64 import fuzzed as x86_64

from .fuzzed import Fuzzed

FUZZED: dict[str, Fuzzed] = {row.FUZZED.arch.name: row.FUZZED for row in (riscv64, loongarch64, aarch64, x86_64)}
