# SPDX-License-Identifier: MIT
"""LIEF as it keeps every byte: sectionless input, every rebuild switched off, headers through its model.

What goes wrong elsewhere was measured with LIEF 1.0.0: its default configuration re-lays tables; `patch_address` on a header
is overwritten by the model; a segment that is made larger crashes it; what it has read of PT_DYNAMIC, of notes and of other
segments it writes back in its own way. So the input has its final size before LIEF sees it, and it is shown one program
header, PT_LOAD, in which all the rest is plain bytes.

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

from ..elf.elf64 import EHDR, PHDR, Ehdr
from ..errors import VdsoError

SECONDS = 60  # for an answer, of which it needs a hundredth of one after its import

_PROGRAM = Path(__file__).with_name("lief_child.py")
_one_at_a_time = threading.Lock()
_child: subprocess.Popen[str] | None = None


def start() -> None:
    """Begins the import of LIEF, so that it is there when `write` wants it."""
    with _one_at_a_time:
        _running()


def write_with_lief(prepared: bytes, patches: Sequence[tuple[int, bytes]]) -> bytes:
    """`prepared` (a sectionless ELF of one PT_LOAD at 0, as long as it will be) with the patches (address, bytes) written.

    Its first program header must be PT_LOAD. VdsoError where LIEF can't read it, dies or gives no answer in time.
    """
    wanted = bytearray(prepared)
    for address, data in patches:
        wanted[address : address + len(data)] = data
    ehdr = Ehdr(*EHDR.unpack_from(wanted))
    load = slice(ehdr.phoff, ehdr.phoff + PHDR.size)
    shown = bytearray(prepared)
    shown[load] = wanted[load]
    EHDR.pack_into(shown, 0, *Ehdr(*EHDR.unpack_from(prepared))._replace(phnum=1))
    answer = _asked(
        {
            "elf": shown.hex(),
            "patches": [[address, data.hex()] for address, data in patches if address >= load.stop],
            "segments": ehdr.phnum,
            "sections": [ehdr.shoff, ehdr.shnum, ehdr.shstrndx],
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
        except BaseException:  # interrupted: its answer must not be taken for the next one's
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
    """The process, started if there is none; it ends with this one, at the latest when its input does."""
    global _child
    if _child is None:
        command = [sys.executable, str(_PROGRAM), *sys.path]
        _child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        atexit.register(_child.kill)
    return _child
