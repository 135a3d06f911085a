# SPDX-License-Identifier: MIT
"""The tables of an image, by the names of their sections."""

HASH, GNU_HASH, DYNSYM, DYNSTR, VERSYM = ".hash", ".gnu.hash", ".dynsym", ".dynstr", ".gnu.version"
DYNAMIC = ".dynamic"
NOTE, UNWIND = ".note", ".eh_frame_hdr"
STRINGS, SECTIONS = ".shstrtab", "section table"
KEPT = (".gnu.version_d",)
"""The table that stays where the base has it."""
ALIGN = {HASH: 8, GNU_HASH: 8, DYNSYM: 8, DYNSTR: 1, VERSYM: 2, DYNAMIC: 8, NOTE: 4, UNWIND: 8}
BEHIND = (STRINGS, SECTIONS)
"""Tables of which nothing that is loaded speaks: they lie behind the load, where every tool writes them."""
