# SPDX-License-Identifier: MIT
"""The bytes of the one PT_LOAD, read with bounds: an address of the ELF is an offset into them."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import OTHER_BASE, VdsoError
from ..ranges import Span


@dataclass(frozen=True)
class Load:
    """`name`: what messages call the file."""

    name: str
    data: bytes

    def error(self, what: str, todo: str = OTHER_BASE) -> VdsoError:
        """Return the error that says `what` of this file."""
        return VdsoError(self.name, what, todo)

    def bytes(self, what: str, span: Span) -> bytes:
        """Return the bytes of the part that messages call `what`. VdsoError where it leaves the load."""
        if span.start < 0 or span.size < 0 or span.end > len(self.data):
            size = len(self.data)
            raise self.error(f"{what} at {span.start:#x} of {span.size:#x} bytes leaves the load of {size:#x} bytes")
        return self.data[span.start : span.end]
