# SPDX-License-Identifier: MIT
"""Shows what a vDSO is worth on a kernel that is not Linux (`scons demo`).

    demo.py OUT

Builds the example kernels with the vdso.h and vdso.rs in OUT, and a static glibc program; then boots each kernel with and
without the vDSO. The kernel counts the system calls, and the traps into M-mode (where firmware reads, silently and slowly, a
counter that user mode may not read). The program measures the time. Kernels, program and the output of each guest lie in
OUT/demo. With the vDSO no call may be a system call, and without it each must be one; otherwise the reasons are printed and
the status is 1.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from qemu import GuestError, boot

HERE = Path(__file__).resolve().parent
CC = "riscv64-linux-gnu-gcc"
CALLS = 1_000_000
SECONDS = 60
CLOCK_GETTIME = 113


class DemoError(Exception):
    """Something could not be built, or did not run to its end: one line."""


@dataclass(frozen=True)
class Result:
    """One boot: the counts of the kernel, and the measurement of the program."""

    kernel: str
    vdso: str
    syscalls: int
    ns_per_call: float
    mmode_traps: int

    def __str__(self) -> str:
        return (
            f"kernel={self.kernel} vdso={self.vdso} clock_gettime_syscalls={self.syscalls}"
            f" ns_per_call={self.ns_per_call:.1f} mmode_traps={self.mmode_traps}"
        )

    def wrong(self) -> list[str]:
        """Return what is wrong. The program makes exactly CALLS calls, those of its own time measurement included."""
        found = []
        expected = 0 if self.vdso == "on" else CALLS
        if self.syscalls != expected:
            found.append(f"{self.syscalls} system calls clock_gettime, not {expected}, of {CALLS} calls of the program")
        if self.mmode_traps:
            found.append(f"{self.mmode_traps} illegal instructions reached M-mode: the kernel does not let it read the counter")
        return [f"kernel={self.kernel} vdso={self.vdso}: {reason}" for reason in found]


def run(*command: str | Path) -> None:
    try:
        status = subprocess.run(command, check=False).returncode
    except FileNotFoundError:
        raise DemoError(f"{command[0]}: not found; ./sconsw --install demo") from None
    if status != 0:
        raise DemoError(f"{command[0]}: status {status}; its words stand above")


def make_c(out: Path, vdso: Path) -> None:
    run("make", "-s", "-C", HERE / "kernel-c", f"OUT={out}", f"VDSO={vdso}")


def make_rust(out: Path, vdso: Path) -> None:
    run(HERE / "kernel-rust" / "build", out, f"VDSO={vdso}")


KERNELS: dict[str, Callable[[Path, Path], None]] = {"c": make_c, "rust": make_rust}


def measure(name: str, kernel: Path, vdso: str, program: Path, log: Path) -> Result:
    done = boot(kernel, program, [f"vdso={vdso}"], [str(CALLS)], seconds=SECONDS, log=log)
    said = re.search(r"^demo: calls=(\d+) ns_per_call=([0-9.]+)$", done.text, re.M)
    if done.exit != 0 or not said or int(said[1]) != CALLS:
        raise DemoError(f"kernel={name} vdso={vdso}: the program ended with {done.exit}; what was printed is in {log}")
    return Result(name, vdso, done.syscalls(CLOCK_GETTIME), float(said[2]), done.values["mmode_traps"])


def demo(out: Path) -> list[str]:
    """Print a line for each boot and the ratio for each kernel; return all that is wrong."""
    folder = out / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "program"
    run(CC, "-O2", "-static", "-o", program, HERE / "demo.c")
    wrong = []
    for name, build in KERNELS.items():
        build(folder / f"kernel-{name}", out)
        kernel = folder / f"kernel-{name}" / "kernel.elf"
        results = [measure(name, kernel, vdso, program, folder / f"guest-{name}-{vdso}.txt") for vdso in ("on", "off")]
        print(*results, sep="\n")
        print(f"kernel={name} ratio={results[1].ns_per_call / results[0].ns_per_call:.1f}", flush=True)
        wrong += [reason for result in results for reason in result.wrong()]
    if wrong:
        wrong.append(f"what the guests printed is in {folder}")
    return wrong


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: demo.py OUT", file=sys.stderr)
        return 2
    try:
        wrong = demo(Path(arguments[0]).absolute())
    except (DemoError, GuestError) as error:
        wrong = [str(error)]
    for reason in wrong:
        print(f"demo: {reason}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
