# SPDX-License-Identifier: MIT
"""Machine code of x86-64 for synthetic bases and images, made without an assembler."""

from __future__ import annotations

import struct

NOP, RET = b"\x90", b"\xc3"
RETURN_ZERO = b"\x31\xc0" + RET
FRAME = b"\x55\x5d"
"""push %rbp; pop %rbp."""


def call(number: int) -> bytes:
    """Return code that makes a system call: mov $number, %eax; syscall."""
    return b"\xb8" + struct.pack("<I", number) + b"\x0f\x05"


def read(address: int, target: int) -> bytes:
    """Return code for `address` that reads 8 bytes at `target`: mov target(%rip), %rax."""
    return b"\x48\x8b\x05" + struct.pack("<i", target - address - 7)


def jump(address: int, target: int) -> bytes:
    """Return code for `address` that goes on at `target`: jmp."""
    return b"\xe9" + struct.pack("<i", target - address - 5)
