# SPDX-License-Identifier: MIT
"""LIEF as it keeps every byte: sectionless input, every rebuild switched off, headers through its model.

What goes wrong elsewhere was measured with LIEF 1.0.0: its default configuration re-lays tables; `patch_address` on a header
is overwritten by the model; a segment that is made larger crashes it; a DT_GNU_HASH that it has read is always written
back as it was. So the input has its final size before LIEF sees it, and DT_GNU_HASH is hidden while it looks.

LIEF is native code that can abort, and its import takes longer than all else of a build. So it runs in a process of its
own (`lief_child`), which `start` begins early, and whose death is an error like any other.
"""

from __future__ import annotations

import atexit
import json
import select
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .elf import DT_GNU_HASH, DYN, EHDR, PHDR, PT_DYNAMIC, PT_LOAD, Ehdr, Phdr
from .errors import VdsoError

SECONDS = 60  # for an answer, of which it needs a hundredth of one after its import

_DT_DEBUG = 21
_PROGRAM = Path(__file__).with_name("lief_child.py")
_one_at_a_time = threading.Lock()
_child: subprocess.Popen[str] | None = None


def start() -> None:
    """Begins the import of LIEF, so that it is there when `write` wants it."""
    with _one_at_a_time:
        _running()


def write(prepared: bytes, patches: Sequence[tuple[int, bytes]]) -> bytes:
    """`prepared` (a sectionless ELF of one PT_LOAD at 0, as long as it will be) with the patches (address, bytes) written.

    One of the patches must be all of PT_DYNAMIC. VdsoError where LIEF can't read it, dies or gives no answer in time.
    """
    wanted = bytearray(prepared)
    for address, data in patches:
        wanted[address : address + len(data)] = data
    ehdr = Ehdr(*EHDR.unpack_from(wanted))
    places = [ehdr.phoff + index * PHDR.size for index in range(ehdr.phnum)]
    phdrs = [Phdr(*PHDR.unpack_from(wanted, at)) for at in places]
    answer = _asked(
        {
            "elf": _shown(prepared, places, phdrs).hex(),
            "patches": [[address, data.hex()] for address, data in patches if address >= places[-1] + PHDR.size],
            "sections": [ehdr.shoff, ehdr.shnum, ehdr.shstrndx],
            "segments": [None if p.type == PT_LOAD else [p.offset, p.vaddr, p.paddr, p.filesz, p.memsz] for p in phdrs],
        }
    )
    if "error" in answer:
        why = f"an image of {len(prepared):#x} bytes can't be written: {answer['error']}"
        raise VdsoError("LIEF", why, "report it, with the base")
    return bytes.fromhex(answer["elf"])


def _asked(request: dict[str, Any]) -> dict[str, str]:
    """The answer to one request. After a death the next one gets a new process."""
    global _child
    with _one_at_a_time:
        child = _running()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(json.dumps(request) + "\n")
            child.stdin.flush()
            line = child.stdout.readline() if select.select([child.stdout], [], [], SECONDS)[0] else None
        except OSError:  # a broken pipe: dead before it read
            line = ""
        if line and line.endswith("\n"):
            answer: dict[str, str] = json.loads(line)
            return answer
        child.kill()
        status = child.wait()
        _child = None
        what = f"gave no answer in {SECONDS} s" if line is None else f"its process ended with status {status}"
        return {"error": what}


def _running() -> subprocess.Popen[str]:
    """The process, started if there is none; it ends with this one, at the latest when its input does."""
    global _child
    if _child is None:
        command = [sys.executable, str(_PROGRAM), *sys.path]
        _child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        atexit.register(_child.kill)
    return _child


def _shown(prepared: bytes, places: Sequence[int], phdrs: Sequence[Phdr]) -> bytes:
    """What LIEF gets to read: the final PT_LOAD, and another tag in the place of DT_GNU_HASH."""
    data = bytearray(prepared)
    for at, phdr in zip(places, phdrs, strict=True):
        if phdr.type == PT_LOAD:
            PHDR.pack_into(data, at, *phdr)
        elif phdr.type == PT_DYNAMIC:
            for entry in range(phdr.vaddr, phdr.vaddr + phdr.filesz, DYN.size):
                tag, value = DYN.unpack_from(data, entry)
                if tag == DT_GNU_HASH:
                    DYN.pack_into(data, entry, _DT_DEBUG, value)
    return bytes(data)
