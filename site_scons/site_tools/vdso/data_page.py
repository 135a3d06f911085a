# SPDX-License-Identifier: MIT
"""Where the data page lies: the words of the option DATA_PAGE."""

from __future__ import annotations

from enum import Enum

from .elf.elf64 import PAGE


class DataPage(str, Enum):
    """The page that the kernel writes and user space reads: behind the image, before it, or not there at all."""

    AFTER = "after"
    BEFORE = "before"
    NONE = "none"

    def __str__(self) -> str:
        return self.value

    def offset(self, image_size: int) -> int:
        """Return where the page lies, in bytes from the start of an image of `image_size` bytes; 0 for NONE."""
        return {DataPage.AFTER: image_size, DataPage.BEFORE: -PAGE, DataPage.NONE: 0}[self]

    @property
    def size(self) -> int:
        """Return how many bytes the page takes in the address space."""
        return 0 if self is DataPage.NONE else PAGE
