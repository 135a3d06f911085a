# SPDX-License-Identifier: MIT
"""Cycles of a call on cores that rvsim simulates, cycle by cycle: fences, reads of the counter, caches and branches with it.

None of them is one core that can be bought: they say how a kind of core takes the code, not how fast a chip is.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stub_build import COMPILER
from stub_runner import PAGE

LOOP = Path(__file__).with_name("call_loop.S")
DRIVER, IMAGE = 0x8000_1000, 0x8010_0000  # RAM starts with the headers of the ELF
WARM, CALLS = 300, 1000
LIMIT = 4_000_000  # cycles; more is a loop
# Registers of the loop, by number: s3 to s6, s9; s7 is the address of the buffer.
S3, S4, S5, S6, S7, S9 = 19, 20, 21, 22, 23, 25


@dataclass(frozen=True)
class Timed:
    """Cycles of a call beyond those of a function that only returns; `answer`: the seconds and nanoseconds of the last call.

    after_another   the next call may begin while this one is under way
    alone           each call waits for the answer of the one before
    """

    after_another: float
    alone: float
    answer: tuple[int, int]


def cores() -> Mapping[str, Callable[[], Any]]:
    """Return the cores, by name. ImportError where rvsim is not installed."""
    from rvsim import Backend, Cache, Config, presets

    def in_order(width: int) -> Any:
        caches = {
            "l1i": Cache("32KB", ways=4, latency=1),
            "l1d": Cache("32KB", ways=8, latency=2),
            "l2": Cache("512KB", ways=8, latency=12),
        }
        return Config(width=width, backend=Backend.InOrder(), **caches)

    return {
        "in order, 1 wide": lambda: in_order(1),
        "in order, 2 wide": lambda: in_order(2),
        "SiFive P550": presets.p550,
        "out of order, 4 wide": presets.basic,
        "out of order, 8 wide": presets.fast,
    }


def machine(folder: Path, image: bytes, data_offset: int | None, page: bytes, function: int | None, clock: int) -> Path:
    """Build the bare machine that calls `function` (an offset in the image; None: one that only returns) in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "image").write_bytes(image)
    (folder / "page").write_bytes(page or bytes(8))  # gas takes no empty file
    places = {".text": DRIVER, ".image": IMAGE, ".page": IMAGE + (16 * PAGE if data_offset is None else data_offset)}
    defines = {
        "IMAGE": f'"{folder / "image"}"', "PAGE": f'"{folder / "page"}"', "CLOCK": clock, "WARM": WARM, "CALLS": CALLS
    }  # fmt: skip
    out = folder / f"machine-{function}"
    called = "empty" if function is None else hex(IMAGE + function)
    starts = [*(f"-Wl,--section-start={name}={at:#x}" for name, at in places.items()), f"-Wl,--defsym=function={called}"]
    flags = [*COMPILER.flags.stubs, "-nostdlib", "-static", "-Wl,--build-id=none", "-Wl,--no-relax", *starts]
    command = [COMPILER.cc, *flags, *(f"-D{name}={value}" for name, value in defines.items()), LOOP, "-o", out]
    subprocess.run(command, check=True)
    return out


def run(core: Callable[[], Any], program: Path) -> tuple[list[int], tuple[int, int]]:
    """Return the five counts of the loop, and the two words of its buffer."""
    from rvsim import Simulator

    simulator = Simulator(core(), binary=str(program))
    simulator.run_until(lambda now: bool(now.regs[S9]), limit=LIMIT)
    assert simulator.regs[S9], f"{program}: no end after {LIMIT} cycles"
    at = simulator.regs[S7]
    seconds, nanoseconds = (int.from_bytes(simulator.read_phys_bytes(at + n, 8), "little", signed=True) for n in (0, 8))
    return [simulator.regs[register] for register in (S3, S4, S5, S6, S9)], (seconds, nanoseconds)


def measure(core: Callable[[], Any], called: Path, empty: Path) -> Timed:
    """Return the cycles of a call of the machine `called`, beyond those of the machine `empty`."""
    counts, answer = run(core, called)
    alike, _ = run(core, empty)
    start, _, middle, end, _ = (long - short for long, short in zip(counts, alike, strict=True))
    return Timed((middle - start) / CALLS, (end - middle) / CALLS, answer)
