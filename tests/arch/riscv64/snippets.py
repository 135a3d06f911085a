# SPDX-License-Identifier: MIT
"""Machine code of RISC-V for synthetic bases and images, made without an assembler."""

from __future__ import annotations

import struct

NOP, RET = b"\x01\x00", b"\x82\x80"
RETURN_ZERO = b"\x01\x45" + RET
FRAME = bytes.fromhex("4111 22e0 06e4 0008 a260 0264 4101")
"""A stack frame is made, as gcc makes it, and undone."""


def word(number: int) -> bytes:
    """Return an instruction of four bytes."""
    return struct.pack("<I", number & 0xFFFFFFFF)


LANDING_PAD = word(0x17)
"""lpad 0, which is auipc zero, 0."""
WRITE_TP, READ_TP, WRITE_SP = word(0x00050213), word(0x00023783), word(0x00050113)
"""mv tp, a0; ld a5, 0(tp); mv sp, a0."""
READ_ADDRESS_8 = word(0x00802783)
"""lw a5, 8(zero)."""
READ_COMPUTED_ADDRESS = word(0x00100793) + word(0x02079793) + word(0x0007A783)
"""li a5, 1; slli a5, a5, 32; lw a5, 0(a5)."""
READ_KERNEL_STATE = word(0x140027F3)
"""csrr a5, sscratch."""
UNKNOWN = word(0xFFFFFFFF)
BRANCH_BACK = bytes.fromhex("6dfd")
"""c.bnez a0, .-6."""


def call(number: int) -> bytes:
    """Return code that makes a system call: li a7, number; ecall."""
    return word(number << 20 | 0x893) + word(0x73)


def _hi_lo(offset: int) -> tuple[int, int]:
    """Return the 20 and the 12 bits that auipc and the instruction after it take."""
    high = (offset + 0x800) & ~0xFFF
    return high & 0xFFFFFFFF, (offset - high) & 0xFFF


def read(address: int, target: int) -> bytes:
    """Return code for `address` that reads 8 bytes at `target`: auipc a5; ld a5."""
    high, low = _hi_lo(target - address)
    return word(high | 15 << 7 | 0x17) + word(low << 20 | 15 << 15 | 3 << 12 | 15 << 7 | 0x03)


def jump(address: int, target: int) -> bytes:
    """Return code for `address` that goes on at `target`: auipc t1; jr."""
    high, low = _hi_lo(target - address)
    return word(high | 6 << 7 | 0x17) + word(low << 20 | 6 << 15 | 0x67)
