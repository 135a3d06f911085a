# SPDX-License-Identifier: MIT
"""Refuses a file that was an ELF file once, and says what was done to it: a copy as text, or a tool that took its bytes."""

from __future__ import annotations

from ..elf import elf64
from ..elf.headers import MAGIC, Truncated, read_headers
from ..errors import VdsoError

FEWEST = 8  # times that a mark is there which may also turn up by chance
LEAST = 0x400  # bytes of a vDSO: Linux's smallest for 64 bits has 0xd00
AGAIN = "copy it again, in binary mode"
_TEXTS = {b"7f454c46": "xxd -r -p", b"f0vmr": "base64 -d"}
"""How an ELF file begins that is written as text, in small letters, and what undoes that."""


def refuse_rewritten(name: str, data: bytes) -> None:
    """Refuse, with VdsoError(name), what bears plain marks of a copy as text, and a file of symbols without code."""
    for start, undo in _TEXTS.items():
        if data[: len(start)].lower() == start:
            raise VdsoError(name, "an ELF file written as text", f"make bytes of it: {undo}")
    if not data.startswith(MAGIC):
        return
    ends, replaced = data.count(b"\n"), data.count(b"\xef\xbf\xbd")
    if ends >= FEWEST and data.count(b"\r\n") == ends:
        raise VdsoError(name, "copied as text: 0x0d stands before each 0x0a", AGAIN)
    if replaced >= FEWEST:
        raise VdsoError(name, f"copied as text: U+FFFD stands for other bytes {replaced} times", AGAIN)
    if _without_code(data):
        what = "a debug file, whose sections have no bytes (objcopy --only-keep-debug)"
        raise VdsoError(name, what, "give the file that it was split from")


def refuse_reduced(name: str, data: bytes) -> None:
    """Refuse, with VdsoError(name), an ELF file that lacks values which every whole one has; a part of one may lack them."""
    if not data.startswith(MAGIC) or len(data) < LEAST:
        return
    if 0 not in data:
        raise VdsoError(name, "copied as text: no zero byte is left", AGAIN)
    if max(data) < 0x80:
        raise VdsoError(name, "copied as text: no byte has its highest bit", AGAIN)
    try:
        data.decode()
    except UnicodeDecodeError:
        return
    raise VdsoError(name, "copied as text: bytes from 0x80 on became two, as UTF-8", AGAIN)


def _without_code(data: bytes) -> bool:
    """Tell whether it is a shared object whose sections of code have no bytes."""
    try:
        headers = read_headers(data)
    except Truncated:
        return False
    if headers is None or headers.ehdr.type != elf64.ET_DYN or not 0 < headers.table_end <= len(data):
        return False
    code = [section for section in headers.sections(data) if section.flags & elf64.SHF_EXECINSTR]
    return bool(code) and all(section.type == elf64.SHT_NOBITS for section in code)
