# SPDX-License-Identifier: MIT
"""The page, and how large a vDSO can be: what is larger is a program or a library, and proving its functions takes minutes."""

PAGE = 0x1000
"""Bytes of the smallest page of every architecture: of a page where nothing else is said."""
MOST_BYTES = 0x40000
"""Bytes of the load. The largest vDSO that is known has 0x10000."""
MOST_SYMBOLS = 0x100
"""Entries of .dynsym. Linux's own have at most 0x20."""
