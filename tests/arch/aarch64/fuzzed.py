# SPDX-License-Identifier: MIT
"""What cases for aarch64 are made of."""

from __future__ import annotations

from arch.aarch64 import snippets
from fuzz.fuzzed import Fuzzed, words
from vdso.arch.aarch64.facts import AARCH64

INSTRUCTIONS = words(
    *(0xD503201F, 0xD503245F, 0xD65F03C0, 0xD4000001),  # nop, bti c, ret, svc #0
    *(0xD2800E28, 0xF2A00020, 0xAA0103E0, 0x91000400),  # mov x8, #113; movk x0, #1, lsl #16; mov x0, x1; add x0, x0, #1
    *(0x10000000, 0x90000000, 0xD0FFFFE0, 0x58000000),  # adr x0, .; adrp x0, 0; adrp x0, behind; ldr x0, .
    *(0xF9400020, 0xF9000020, 0xF8408C20, 0xF8616800),  # ldr x0, [x1]; str x0, [x1]; ldr x0, [x1, #8]!; ldr x0, [x0, x1]
    *(0xF8210020, 0xA9BF7BFD, 0xA8C17BFD, 0x910003BF),  # ldadd x1, x0, [x1]; stp and ldp of a frame; mov sp, x29
    *(0x14000000, 0x94000000, 0xD61F0000, 0xD63F0000),  # b .; bl .; br x0; blr x0
    *(0xB4000000, 0x54000000, 0x36000000, 0x17FFFFFF),  # cbz x0, .; b.eq .; tbz w0, #0, .; b .-4
    *(0xD53BE040, 0xD5033FDF, 0xD50339BF, 0xD503233F),  # mrs x0, cntvct_el0; isb; dmb ishld; paciasp
    *(0xD53BD040, 0xF9400240, 0x00000000, 0xFFFFFFFF),  # mrs x0, tpidr_el0; ldr x0, [x18]; udf #0; unknown
)

FUZZED = Fuzzed(
    arch=AARCH64,
    code=snippets,
    instructions=INSTRUCTIONS,
    flags=(0,),
    policies=("clock_getres:hide", "clock_getres:syscall", "gettimeofday:syscall", "gettimeofday:keep", "rt_sigreturn:hide"),
    undefined="arm64_const_caps_ready",
)
