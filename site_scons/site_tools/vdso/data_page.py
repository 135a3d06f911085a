# SPDX-License-Identifier: MIT
"""Where the pages of the kernel lie that user space reads: the words of the options DATA_PAGE and COUNTER."""

from __future__ import annotations

from enum import Enum

from .elf.limits import PAGE


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

    def counter_offset(self, image_size: int, word: int | None) -> int:
        """Return where the counter lies that is the word at `word` of a page of its own, from the image's start; 0 for None.

        That page lies beyond the data page, or where the data page would be.
        """
        if word is None:
            return 0
        return {DataPage.AFTER: image_size + PAGE, DataPage.BEFORE: -2 * PAGE, DataPage.NONE: image_size}[self] + word

    @property
    def size(self) -> int:
        """Return how many bytes the page takes in the address space."""
        return 0 if self is DataPage.NONE else PAGE
