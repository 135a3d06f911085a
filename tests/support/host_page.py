# SPDX-License-Identifier: MIT
"""A page of an emulated machine's memory that changes while the machine loads from it."""

from __future__ import annotations

import ctypes
import mmap

import unicorn


class HostPage:
    """Memory of this process, mapped into an engine. A hook on a load may write it.

    `mem_write` would do for a page that is not read-only. For one that is, it makes the page writable and back again, and the
    engine forgets where the load that the hook is called for was about to read: now and then this process dies of it.
    """

    def __init__(self, engine: unicorn.Uc, address: int, access: int) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)
        self._start = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        engine.mem_map_ptr(address, mmap.PAGESIZE, access, self._start)

    def write(self, data: bytes, offset: int = 0) -> None:
        """Put `data` at `offset`, whole before the load goes on."""
        assert offset + len(data) <= mmap.PAGESIZE
        self._memory[offset : offset + len(data)] = data
