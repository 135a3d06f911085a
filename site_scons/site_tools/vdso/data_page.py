# SPDX-License-Identifier: MIT
"""Where the pages of the kernel lie that user space reads: the words of the options DATA_PAGE and COUNTER."""

from __future__ import annotations

from enum import Enum

from .elf.limits import PAGE
from .ranges import Span


class DataPage(str, Enum):
    """The page that the kernel writes and user space reads: behind the image, before it, or not there at all."""

    AFTER = "after"
    BEFORE = "before"
    NONE = "none"

    def __str__(self) -> str:
        return self.value

    def offset(self, image_size: int, page_size: int) -> int:
        """Return where the page lies, in bytes from the start of an image of `image_size` bytes; 0 for NONE."""
        return {DataPage.AFTER: image_size, DataPage.BEFORE: -page_size, DataPage.NONE: 0}[self]

    def counter_offset(self, image_size: int, page_size: int, word: int | None) -> int:
        """Return where the counter lies that is the word at `word` of a page of its own, from the image's start; 0 for None.

        That page lies beyond the data page, or where the data page would be.
        """
        if word is None:
            return 0
        pages = {DataPage.AFTER: image_size + page_size, DataPage.BEFORE: -2 * page_size, DataPage.NONE: image_size}
        return pages[self] + word


def readable(data_offset: int, counter_offset: int) -> list[range]:
    """Return the addresses beside an image that its code may read: the data page, and of another page the counter alone.

    data_offset, counter_offset     of them, from the image's first byte; 0: there is none

    Of a larger page too, the data takes 4096 bytes.
    """
    data = [range(data_offset, data_offset + PAGE)] if data_offset else []
    return data + ([range(counter_offset, counter_offset + 1)] if counter_offset else [])


def mapped_beside(data_offset: int, counter_offset: int, page_size: int) -> list[Span]:
    """Return the pages that the kernel maps beside an image: the data page, then that of the counter, where there are such."""
    return [Span(offset // page_size * page_size, page_size) for offset in (data_offset, counter_offset) if offset]
