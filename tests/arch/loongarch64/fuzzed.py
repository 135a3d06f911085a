# SPDX-License-Identifier: MIT
"""What cases for loongarch64 are made of."""

from __future__ import annotations

from arch.loongarch64 import snippets
from fuzz.fuzzed import Fuzzed, words
from vdso.arch.loongarch64.facts import LOONGARCH64

INSTRUCTIONS = words(
    *(0x03400000, 0x4C000020, 0x002B0000, 0x002A0000),  # nop; ret; syscall 0; break 0
    *(0x0381C40B, 0x001500A4, 0x02C00484, 0x02FFC063),  # ori a7, zero, 113; move a0, a1; addi.d a0, a0, 1; addi.d sp, sp, -16
    *(0x18000004, 0x1A000004, 0x19FFFFE4, 0x1C000004),  # pcaddi a0, 0; pcalau12i a0, 0; pcaddi a0, -1; pcaddu12i a0, 0
    *(0x14000024, 0x16000004, 0x03000084, 0x38401484),  # lu12i.w a0, 1; lu32i.d a0, 0; lu52i.d a0, a0, 0; vldx, a vector
    *(0x28C00084, 0x29C000A4, 0x380C1484, 0x38611484),  # ld.d a0, a0, 0; st.d a0, a1, 0; ldx.d a0, a0, a1; amadd.w
    *(0x50000000, 0x54000000, 0x4C000080, 0x4C000081),  # b .; bl .; jr a0; jirl ra, a0, 0
    *(0x40000080, 0x58000085, 0x53FFFFFF, 0x5C000085),  # beqz a0, .; beq a0, a1, .; b .-4; bne a0, a1, .
    *(0x00006804, 0x00006884, 0x00006C84, 0x38720000),  # rdtime.d a0, zero; rdtime.d a0, a0; cpucfg a0, a0; dbar 0
    *(0x28C00044, 0x28C002A4, 0x00000000, 0xFFFFFFFF),  # ld.d a0, tp, 0; ld.d a0, r21, 0; unknown
)

FUZZED = Fuzzed(
    arch=LOONGARCH64,
    code=snippets,
    instructions=INSTRUCTIONS,
    flags=(0x41, 0x43),
    policies=("getcpu:hide", "getcpu:syscall", "clock_getres:hide", "gettimeofday:keep", "rt_sigreturn:hide"),
    undefined="boot_cpu_data",
)
