# SPDX-License-Identifier: MIT
"""Machine code of LoongArch for synthetic bases and images, made without an assembler."""

from __future__ import annotations

from snippets import word

NOP, RET = word(0x03400000), word(0x4C000020)
RETURN_ZERO = word(0x00150004) + RET
FRAME = word(0x02FFC063) + word(0x29C02061) + word(0x28C02061) + word(0x02C04063)
"""addi.d sp, sp, -16; st.d ra, sp, 8; ld.d ra, sp, 8; addi.d sp, sp, 16."""


def call(number: int) -> bytes:
    """Return code that makes a system call: ori a7, zero, number; syscall 0."""
    return word(0x0380000B | number << 10) + word(0x002B0000)


def read(address: int, target: int) -> bytes:
    """Return code for `address` that reads 8 bytes at `target`, a multiple of 4: pcaddi t0; ld.d t0."""
    return word(0x1800000C | (target - address >> 2 & 0xFFFFF) << 5) + word(0x28C0018C)


def jump(address: int, target: int) -> bytes:
    """Return code for `address` that goes on at `target`: b."""
    offset = target - address >> 2
    return word(0x50000000 | (offset & 0xFFFF) << 10 | offset >> 16 & 0x3FF)
