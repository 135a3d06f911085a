# SPDX-License-Identifier: MIT
"""Machine code of AArch64 for synthetic bases and images, made without an assembler."""

from __future__ import annotations

from snippets import word

NOP, RET = word(0xD503201F), word(0xD65F03C0)
RETURN_ZERO = word(0xD2800000) + RET
FRAME = word(0xA9BF7BFD) + word(0xA8C17BFD)
"""stp x29, x30, [sp, #-16]!; ldp x29, x30, [sp], #16."""


def call(number: int) -> bytes:
    """Return code that makes a system call: mov x8, #number; svc #0."""
    return word(0xD2800008 | number << 5) + word(0xD4000001)


def read(address: int, target: int) -> bytes:
    """Return code for `address` that reads 8 bytes at `target`: adr x9; ldr x9."""
    offset = target - address
    return word(0x10000009 | (offset & 3) << 29 | (offset >> 2 & 0x7FFFF) << 5) + word(0xF9400129)


def jump(address: int, target: int) -> bytes:
    """Return code for `address` that goes on at `target`: b."""
    return word(0x14000000 | (target - address) >> 2 & 0x3FFFFFF)
