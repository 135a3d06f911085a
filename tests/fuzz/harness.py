# SPDX-License-Identifier: MIT
"""The harness of atheris, which is led by coverage: `python -m fuzz.harness FOLDER ARCH [-runs=N] [-max_total_time=S]`.

The bytes that it hands out are the answers to the choices of a generator. One that has no more bytes answers 0.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from .choices import Choices

MOST_BYTES = 1024  # a case asks for some fifty answers


def answers(data: bytes) -> Choices:
    """Return choices made by `data`: two bytes for an answer, more where there are more options."""
    at = 0

    def below(count: int) -> int:
        nonlocal at
        width = max(2, (count.bit_length() + 7) // 8)
        value = int.from_bytes(data[at : at + width], "little")
        at += width
        return value % count

    return Choices(below)


def main(folder: str, arch: str, *options: str) -> None:
    import atheris

    with atheris.instrument_imports(include=["vdso"]):
        from .architectures import FUZZED
        from .cases import case
        from .way import Way

    way = Way(Path(folder), FUZZED[arch])

    seeds = way.seeds

    def one(data: bytes) -> None:
        way.end(case(answers(data), seeds))

    # its end is an _exit: the processes that were started have to be ended by their input
    arguments = [sys.argv[0], *options, f"-max_len={MOST_BYTES}", "-rss_limit_mb=4096", "-timeout=60", "-print_final_stats=1"]
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    atheris.Setup(arguments, one)
    os.chdir(folder)  # where it leaves the input that failed
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
