# SPDX-License-Identifier: MIT
"""Shows what a vDSO is worth on a kernel that is not Linux (`scons demo`).

    demo.py OUT [NAME=VALUE...]

Builds the example kernels with the vdso.h and vdso.rs in OUT, and a static program; then boots each kernel with and
without the vDSO, in turns. The program measures the time of a call (see demo.c); of all boots the least counts. Two more
boots count the instructions of a call, those of the kernel and the firmware included. Where this machine is one of the image's
architecture, the program runs on it too (see native.py). The kernel counts the system calls, and
the reads of the counter that trapped because user mode may not read it (firmware may answer them, silently and slowly).
Kernels, program and the output of each guest lie in OUT/demo. With the vDSO no call may be a system call, and without it
each must be one; otherwise the reasons are printed and the status is 1. The last
line says what was found in words.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from machines import MACHINES, GuestError, Machine
from machines.machine import demo_command
from native import NativeError, measure, why_not
from qemu import boot

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
CALLS = 200_000  # of each boot, a multiple of demo.c's batch
ROUNDS = 4  # boots with the vDSO, and as many without it
SECONDS = 60


class DemoError(Exception):
    """Something could not be built, or did not run to its end: one line."""


@dataclass(frozen=True)
class Boot:
    """One boot: the counts of the kernel, and the measurement of the program, in nanoseconds of the guest."""

    syscalls: int
    counter_traps: int
    call: float
    counter: float


@dataclass(frozen=True)
class Result:
    """All boots of a kernel with the vDSO, or without it. `counted`: the one whose nanoseconds are instructions."""

    kernel: str
    vdso: str
    boots: tuple[Boot, ...]
    counted: Boot

    @property
    def ns(self) -> float:
        return min(one.call for one in self.boots)

    @property
    def counter_ns(self) -> float:
        return min(one.counter for one in self.boots)

    def __str__(self) -> str:
        return (
            f"kernel={self.kernel} vdso={self.vdso} clock_gettime_syscalls={self.counted.syscalls}"
            f" ns_per_call={self.ns:.1f} instructions_per_call={self.counted.call:.0f}"
            f" counter_traps={self.counted.counter_traps}"
        )

    def wrong(self) -> list[str]:
        """Return what is wrong. The program makes exactly CALLS calls, those of its own time measurement included."""
        found = []
        expected = 0 if self.vdso == "on" else CALLS
        for one in (*self.boots, self.counted):
            if one.syscalls != expected:
                found.append(f"{one.syscalls} system calls clock_gettime, not {expected}, of {CALLS} calls of the program")
            if one.counter_traps:
                found.append(f"{one.counter_traps} reads of the counter trapped: the kernel does not let the program read it")
        return [f"kernel={self.kernel} vdso={self.vdso}: {reason}" for reason in dict.fromkeys(found)]


def run(*command: str | Path) -> None:
    try:
        status = subprocess.run(command, check=False).returncode
    except FileNotFoundError:
        raise DemoError(f"{command[0]}: not found; ./sconsw --install demo") from None
    if status != 0:
        raise DemoError(f"{command[0]}: status {status}; its words stand above")


def make_c(arch: str, out: Path, vdso: Path) -> None:
    run("make", "-s", "-C", HERE / "kernel-c", f"ARCH={arch}", f"OUT={out}", f"VDSO={vdso}")


def make_rust(arch: str, out: Path, vdso: Path) -> None:
    run(HERE / "kernel-rust" / "build", out, f"ARCH={arch}", f"VDSO={vdso}")


KERNELS: dict[str, Callable[[str, Path, Path], None]] = {"c": make_c, "rust": make_rust}


def start(name: str, kernel: Path, vdso: str, program: Path, log: Path, counter_page: bool, instructions: bool = False) -> Boot:
    told = f"BOOT    kernel-{name} vdso={vdso}{', instructions counted' if instructions else ''}"
    print(f"  {told}", flush=True)
    how = {"counter_page": counter_page, "instructions": instructions}
    done = boot(kernel, program, [f"vdso={vdso}"], [str(CALLS)], seconds=SECONDS, log=log, **how)
    said = re.search(r"^demo: calls=(\d+) ns_per_call=(-?[0-9.]+) ns_per_counter=(-?[0-9.]+)$", done.text, re.M)
    if done.exit != 0 or not said or int(said[1]) != CALLS:
        trapped = ", as a read of the counter trapped: the kernel does not let the program read it"
        why = trapped if done.values.get("counter_traps") else ""
        raise DemoError(f"kernel={name} vdso={vdso}: the program ended with {done.exit}{why}; what was printed is in {log}")
    return Boot(done.syscalls("clock_gettime"), done.values["counter_traps"], float(said[2]), float(said[3]))


def turns(name: str, kernel: Path, program: Path, folder: Path, counter_page: bool) -> tuple[Result, Result]:
    """Boot the kernel with the vDSO and without it, in turns: what slows the host slows both."""

    def guest(vdso: str, instructions: bool = False) -> Boot:
        return start(name, kernel, vdso, program, folder / f"guest-{name}-{vdso}.txt", counter_page, instructions)

    on, off = zip(*((guest("on"), guest("off")) for _ in range(ROUNDS)), strict=True)
    return Result(name, "on", on, guest("on", True)), Result(name, "off", off, guest("off", True))


def ratios(on: Result, off: Result, same_counter: bool) -> str:
    """Return what the vDSO is worth, in time and in instructions, and how much of its time is the read of the counter.

    same_counter    the program itself reads the counter that the vDSO reads
    """
    found = f"ratio={off.ns / on.ns:.1f} instructions_ratio={off.counted.call / on.counted.call:.1f}"
    return found + (f" counter_share={on.counter_ns / on.ns:.2f}" if same_counter else "")


def verdict(found: Sequence[tuple[Result, Result]]) -> str:
    """Return a sentence for people on kernels with which nothing is wrong: each with the vDSO and without it."""
    kernels = " and ".join(
        f"{off.ns / on.ns:.1f} times faster on kernel-{on.kernel} ({on.ns:.0f} ns in place of {off.ns:.0f})"
        for on, off in found
    )
    return f"clock_gettime by the vDSO is {kernels}, without a system call"


def blob(out: Path, machine: Machine, words: list[str]) -> Path:
    """Return the folder of the outputs that the kernels take: that of the build, or one that is made anew for larger pages.

    words   the settings of the build
    """
    if json.loads((out / "vdso.json").read_text())["page_size"] >= machine.page_size:
        return out
    folder = out / "demo" / "vdso"
    settings = [word for word in words if not word.startswith(("PAGE_SIZE=", "OUT=", "BASE="))]
    own = (f"PAGE_SIZE={machine.page_size}", f"OUT={folder}", f"BASE={out / 'base.so'}")
    run(sys.executable, "-m", "SCons", "-Q", "-s", "-C", ROOT, "vdso", *settings, *own)
    return folder


def demo(out: Path, words: list[str]) -> list[str]:
    """Print a line for each kernel with and without the vDSO, the ratios, and the verdict; return all that is wrong."""
    folder = out / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "program"
    facts = json.loads((out / "vdso.json").read_text())
    device = bool(facts["counter_offset"])
    machine = MACHINES[facts["arch"]]
    run(*demo_command(machine, program))
    vdso = blob(out, machine, words)
    wrong: list[str] = []
    measured = []
    for name, make in KERNELS.items():
        make(machine.arch, folder / f"kernel-{name}", vdso)
        kernel = folder / f"kernel-{name}" / "kernel.elf"
        on, off = turns(name, kernel, program, folder, counter_page=device)
        print(on, off, sep="\n")
        print(f"kernel={name} {ratios(on, off, not device)}", flush=True)
        measured.append((on, off))
        wrong += [reason for result in (on, off) for reason in result.wrong()]
    reason = why_not(facts, machine)
    if reason is None:
        print("  RUN     on this machine", flush=True)
        print(measure(out, machine, program), flush=True)
    elif reason:
        print(f"demo: the image was not run on this machine: {reason}")
    if wrong:
        wrong.append(f"what the guests printed is in {folder}")
    else:
        print(f"demo: {verdict(measured)}", flush=True)
    return wrong


def main(arguments: list[str]) -> int:
    if not arguments or not all("=" in word for word in arguments[1:]):
        print("usage: demo.py OUT [NAME=VALUE...]", file=sys.stderr)
        return 2
    try:
        wrong = demo(Path(arguments[0]).absolute(), arguments[1:])
    except (DemoError, GuestError, NativeError) as error:
        wrong = [str(error)]
    for reason in wrong:
        print(f"demo: {reason}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
