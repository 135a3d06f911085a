# SPDX-License-Identifier: MIT
"""The architectures, by name. A new one is a folder here and an entry below.

This package imports only the standard library, so that `sconsw` can load it before anything is installed; decoders import
their disassembler when they are first called.
"""

from collections.abc import Mapping
from types import MappingProxyType

from .aarch64.facts import AARCH64
from .arch import Arch
from .loongarch64.facts import LOONGARCH64
from .riscv64.facts import RISCV64
from .x86_64.facts import X86_64

ARCHES: Mapping[str, Arch] = MappingProxyType({arch.name: arch for arch in (RISCV64, LOONGARCH64, AARCH64, X86_64)})
DEFAULT = RISCV64
"""The default of ARCH."""
