# SPDX-License-Identifier: MIT
"""The ELF format: records, headers, unwind information and the note of our own."""
