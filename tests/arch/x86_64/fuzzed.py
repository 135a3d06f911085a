# SPDX-License-Identifier: MIT
"""What cases for x86_64 are made of."""

from __future__ import annotations

from arch.x86_64 import snippets
from fuzz.fuzzed import Fuzzed
from vdso.arch.x86_64.facts import X86_64

# nop, endbr64, ret, syscall, mov, lea, loads and stores, jmp, call, jcc, rdtsc and fences, a frame, segments, int3, unknown
INSTRUCTIONS = tuple(
    bytes.fromhex(word)
    for word in ("90", "f30f1efa", "0f1f00", "c3", "0f05", "b8e4000000", "4889c8", "31c0", "4883c001", "48b80000000001000000",
                 "488d0500000000", "488b0500000000", "488d05f0ffffff", "488b07", "488907", "488b04f7", "488b042508000000",
                 "f0480fc10f", "ebfe", "e900000000", "e800000000", "ffe0", "ffd0", "74fe", "0f8400000000", "0f31", "0f01f9",
                 "0faee8", "f30fc7f8", "0f03c0", "0fa2", "55", "5d", "4883ec08", "64488b042500000000", "65488b00", "cc", "0f0b",
                 "f3aa", "660f6f07", "c5f8", "ffff")
)  # fmt: skip

FUZZED = Fuzzed(
    arch=X86_64,
    code=snippets,
    instructions=INSTRUCTIONS,
    flags=(0,),
    policies=("getcpu:hide", "getcpu:keep", "clock_getres:hide", "time:syscall", "time:hide"),
    undefined="vclock_page",
)
