# SPDX-License-Identifier: MIT
"""What tests/arch/*/snippets.py have of machine code, for synthetic bases and images of each architecture."""

from __future__ import annotations

import struct
from typing import Protocol


def word(number: int) -> bytes:
    """Return an instruction of four bytes."""
    return struct.pack("<I", number)


class Snippets(Protocol):
    """The module of one architecture. `FRAME`: a stack frame is made and undone; `RETURN_ZERO` ends with `RET`."""

    NOP: bytes
    RET: bytes
    RETURN_ZERO: bytes
    FRAME: bytes

    def call(self, number: int) -> bytes:
        """Return code that makes a system call."""

    def read(self, address: int, target: int) -> bytes:
        """Return code for `address` that reads 8 bytes at `target`; it has one size for all of them."""

    def jump(self, address: int, target: int) -> bytes:
        """Return code for `address` that goes on at `target`; it has one size for all of them."""
