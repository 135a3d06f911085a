# SPDX-License-Identifier: MIT
"""Boots an example kernel under QEMU, with a time limit, and reads the lines that it prints at its end.

    run = boot(kernel, program, words=["vdso=on"], args=["1000"], cpus=2, seconds=60, log=out / "guest.txt")
    run.exit, run.syscalls("clock_gettime"), run.text

The guest's output goes straight into the file `log` and stays there, so nothing is lost when something fails.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from machines import GuestError, machine_of


@dataclass(frozen=True)
class Run:
    """One boot that came to its end.

    text     the output of the guest, the firmware's banner included
    values   the lines `kernel: NAME=VALUE`
    numbers  of system calls, by their names
    """

    text: str
    values: Mapping[str, int]
    numbers: Mapping[str, int]

    @property
    def exit(self) -> int:
        """Return the status of the program; 128 + signal if it was killed."""
        return self.values["exit"]

    def syscalls(self, name: str) -> int:
        """Return how often the program made that system call."""
        return self.values.get(f"syscall.{self.numbers[name]}", 0)


def boot(
    kernel: Path,
    program: Path,
    words: Sequence[str] = (),
    args: Sequence[str] = (),
    *,
    log: Path,
    cpus: int = 1,
    seconds: float = 60,
    more: Sequence[str] = (),
    counter_page: bool = False,
    instructions: bool = False,
) -> Run:
    """Boot `kernel` on the machine that it is for, and run `program args` on it; `words` are for the kernel, `more` for QEMU.

    counter_page    the firmware lets the kernel and its programs read the page of the counter
    instructions    each instruction takes a nanosecond of the guest's time, whatever the host does meanwhile

    GuestError if the guest does not come to its end.
    """
    machine = machine_of(kernel)
    command = [*machine.qemu, "-smp", str(cpus)]
    if counter_page:
        assert machine.counter_page, "COUNTER has refused such a page"
        command += ["-dtb", str(machine.counter_page(command, log.with_suffix(".dtb")))]
    clock = ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"] if instructions else ["-accel", "tcg,thread=multi"]
    command += [*clock, "-no-reboot", *machine.guest(kernel, program, " ".join([*words, "--", *args])), *more]
    return finish(execute(command, log, seconds), log, seconds, machine.numbers)


def execute(command: Sequence[str], log: Path, seconds: float) -> int | None:
    """Run `command` with its output in `log`. Return its status; None if the time was over and it was killed."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file, group(command, stdout=file, stderr=subprocess.STDOUT) as process:
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None


@contextmanager
def group(command: Sequence[str], **files: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` as a process group of its own, and kill the whole group at the end."""
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **files)  # type: ignore[call-overload]
    except FileNotFoundError:
        raise GuestError(f"{command[0]}: not found; ./sconsw --install demo, or install qemu-system-misc") from None
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def finish(status: int | None, log: Path, seconds: float, numbers: Mapping[str, int]) -> Run:
    """Return the record of a guest from its `log`; GuestError unless its kernel printed the program's exit status."""
    text = log.read_bytes().decode(errors="replace").replace("\r\n", "\n")
    values = {name: int(value) for name, value in re.findall(r"^kernel: (\S+)=(-?\d+)$", text, re.M)}
    if status is None:
        raise GuestError(f"the guest was killed after {seconds:g} s without an end; what it printed is in {log}")
    if status != 0:
        raise GuestError(f"QEMU ended with status {status}; what was printed is in {log}")
    if "exit" not in values:
        raise GuestError(f"the guest ended without saying `kernel: exit=`; what it printed is in {log}")
    return Run(text, values, numbers)
