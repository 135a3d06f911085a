# SPDX-License-Identifier: MIT
"""What cases for riscv64 are made of."""

from __future__ import annotations

from arch.riscv64 import snippets
from fuzz.fuzzed import Fuzzed
from vdso.arch.riscv64.facts import RISCV64

# nop, ret, ecall, mv, li, auipc, lui, ld, sd, j, jal, jr, beqz, csrr, fence, a frame, unknown
INSTRUCTIONS = tuple(
    bytes.fromhex(word)
    for word in ("0100", "8280", "73000000", "2a85", "0145", "97070000", "b7170000", "83b70700", "23b0f700", "01a0",
                 "ef000000", "8287", "01c1", "f32510c0", "0f00f00f", "13051500", "67800700", "ffffffff", "0000",
                 "4111", "1a62", "82653282", "97f7ffff", "9308b008", "93081007")
)  # fmt: skip

FUZZED = Fuzzed(
    arch=RISCV64,
    code=snippets,
    instructions=INSTRUCTIONS,
    flags=(1, 5),
    policies=("getcpu:hide", "flush_icache:syscall", "clock_getres:hide", "getcpu:keep", "rt_sigreturn:hide"),
    undefined="riscv_isa_ext_keys",
)
