# SPDX-License-Identifier: MIT
"""How large a vDSO can be. What is larger is a program or a library, and proving each of its functions takes minutes."""

MOST_BYTES = 0x40000
"""Bytes of the load. The largest vDSO that is known has 0x10000."""
MOST_SYMBOLS = 0x100
"""Entries of .dynsym. Linux's own have at most 0x20."""
