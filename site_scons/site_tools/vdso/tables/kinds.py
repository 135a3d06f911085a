# SPDX-License-Identifier: MIT
"""The tables of an image, by the names of their sections."""

HASH, GNU_HASH, DYNSYM, DYNSTR, VERSYM = ".hash", ".gnu.hash", ".dynsym", ".dynstr", ".gnu.version"
NOTE, UNWIND = ".note", ".eh_frame_hdr"
STRINGS, SECTIONS = ".shstrtab", "section table"
KEPT = (".gnu.version_d", ".dynamic")
"""Tables that stay where the base has them, patched in place."""
ALIGN = {HASH: 8, GNU_HASH: 8, DYNSYM: 8, DYNSTR: 1, VERSYM: 2, NOTE: 4, UNWIND: 8, STRINGS: 1, SECTIONS: 8}
