# SPDX-License-Identifier: MIT
"""Writes with LIEF so that every byte is kept: no section table in the input, every rebuild switched off.

Other uses of LIEF 1.0.0 went wrong: its default configuration re-lays tables; its model overwrites what `patch_address` did to
a header; a segment that is made larger crashes it; it writes PT_DYNAMIC, notes and other segments back in its own way. So
the input has its final size before LIEF reads it, and LIEF sees only one program header, PT_LOAD, whose content is plain
bytes.

LIEF is native code that can abort, and its import takes longer than all the rest of a build. So it runs in a process of its
own (`lief_child`). `start` starts that process early, and its death is an error like any other.
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

from ..elf.elf64 import EHDR, PHDR, Ehdr
from ..errors import VdsoError

SECONDS = 60  # for an answer; LIEF needs a hundredth of a second, once it is imported

_PROGRAM = Path(__file__).with_name("lief_child.py")
_one_at_a_time = threading.Lock()
_child: subprocess.Popen[str] | None = None


def start() -> None:
    """Start LIEF's process, so that LIEF is imported when `write_with_lief` needs it."""
    with _one_at_a_time:
        _running()


def write_with_lief(prepared: bytes, patches: Sequence[tuple[int, bytes]]) -> bytes:
    """Return `prepared` with the patches (address, bytes) written.

    prepared    an ELF of the final size, without a section table, with one PT_LOAD at 0 as its first program header

    VdsoError where LIEF can't read it, dies or gives no answer in time.
    """
    patched = bytearray(prepared)
    for address, data in patches:
        patched[address : address + len(data)] = data
    ehdr = Ehdr(*EHDR.unpack_from(patched))
    load = slice(ehdr.phoff, ehdr.phoff + PHDR.size)
    visible = bytearray(prepared)
    visible[load] = patched[load]
    EHDR.pack_into(visible, 0, *Ehdr(*EHDR.unpack_from(prepared))._replace(phnum=1))
    answer = _ask(
        {
            "elf": visible.hex(),
            "patches": [[address, data.hex()] for address, data in patches if address >= load.stop],
            "segments": ehdr.phnum,
            "sections": [ehdr.shoff, ehdr.shnum, ehdr.shstrndx],
        }
    )
    if "error" in answer:
        why = f"an image of {len(prepared):#x} bytes can't be written: {answer['error']}"
        raise VdsoError("LIEF", why, "report it, with the base")
    return bytes.fromhex(answer["elf"])


def _ask(request: dict[str, Any]) -> dict[str, str]:
    """Return the answer to one request. If the process dies, the next request gets a new one."""
    global _child
    with _one_at_a_time:
        child = _running()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(json.dumps(request) + "\n")
            child.stdin.flush()
            line = child.stdout.readline() if select.select([child.stdout], [], [], SECONDS)[0] else None
        except OSError:  # a broken pipe: the process died before it read the request
            line = ""
        except BaseException:  # interrupted: this answer must not be taken for that to the next request
            child.kill()
            child.wait()
            _child = None
            raise
        if line and line.endswith("\n"):
            answer: dict[str, str] = json.loads(line)
            return answer
        child.kill()
        status = child.wait()
        _child = None
        what = f"gave no answer in {SECONDS} s" if line is None else f"its process ended with status {status}"
        return {"error": what}


def _running() -> subprocess.Popen[str]:
    """Return LIEF's process, started if there is none. It ends with this process, or when its input ends."""
    global _child
    if _child is None:
        # Without `site`, whose work the paths are: the process gets them as they are here.
        command = [sys.executable, "-S", str(_PROGRAM), *sys.path]
        _child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        atexit.register(_child.kill)
    return _child
