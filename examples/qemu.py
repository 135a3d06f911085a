# SPDX-License-Identifier: MIT
"""Boots an example kernel under QEMU, with a time limit, and reads the lines that it prints at its end.

    run = boot(kernel, program, words=["vdso=on"], args=["1000"], harts=2, seconds=60, log=out / "guest.txt")
    run.values["exit"], run.values["syscall.113"], run.text

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

QEMU = "qemu-system-riscv64"
MTIME_PAGE, PAGE_ORDER = 0x200B000, 12
READ, ALL = 1, 7


class GuestError(Exception):
    """The guest did not come to its end: one line that says how, and where its output is."""


@dataclass(frozen=True)
class Run:
    """One boot that came to its end.

    text     the output of the guest, the firmware's banner included
    values   the lines `kernel: NAME=VALUE`
    """

    text: str
    values: Mapping[str, int]

    @property
    def exit(self) -> int:
        """Return the status of the program; 128 + signal if it was killed."""
        return self.values["exit"]

    def syscalls(self, number: int) -> int:
        """Return how often the program made that system call."""
        return self.values.get(f"syscall.{number}", 0)


def boot(
    kernel: Path,
    program: Path,
    words: Sequence[str] = (),
    args: Sequence[str] = (),
    *,
    log: Path,
    harts: int = 1,
    seconds: float = 60,
    more: Sequence[str] = (),
    counter_page: bool = False,
    instructions: bool = False,
) -> Run:
    """Boot `kernel` and run `program args` on it; `words` are for the kernel, `more` are for QEMU.

    counter_page    the firmware lets the kernel and its programs read the page of mtime
    instructions    each instruction takes a nanosecond of the guest's time, whatever the host does meanwhile

    GuestError if the guest does not come to its end.
    """
    machine = ["-M", "virt", "-smp", str(harts), "-m", "256M", "-nographic"]
    if counter_page:
        machine += ["-dtb", str(open_counter_page(machine, log.with_suffix(".dtb")))]
    clock = ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"] if instructions else ["-accel", "tcg,thread=multi"]
    command = [QEMU, *machine, *clock, "-no-reboot"]
    command += ["-kernel", str(kernel), "-initrd", str(program), "-append", " ".join([*words, "--", *args]), *more]
    return finish(execute(command, log, seconds), log, seconds)


def open_counter_page(machine: Sequence[str], tree: Path) -> Path:
    """Write the device tree of QEMU's machine to `tree`, and let OpenSBI open the page of mtime to S and U mode. Return `tree`.

    OpenSBI keeps the whole CLINT to itself by PMP. A domain that the device tree describes gets other regions; of two that
    overlap, the smaller one counts (docs/counter.md).
    """
    tree.parent.mkdir(parents=True, exist_ok=True)
    _run(QEMU, *machine, "-machine", f"dumpdtb={tree}")
    harts = [f"/cpus/{node}" for node in _run("fdtget", "-l", tree, "/cpus").split() if node.startswith("cpu@")]
    phandles = [_run("fdtget", "-t", "x", tree, hart, "phandle").strip() for hart in harts]
    domains, mtime, everything, kernel = "/chosen/opensbi-domains", "f0", "f1", "f2"
    _node(tree, domains, compatible="opensbi,domain,config")
    page = {"base": ["0", f"{MTIME_PAGE:x}"], "order": [f"{PAGE_ORDER:x}"], "mmio": [], "phandle": [mtime]}
    _node(tree, f"{domains}/mtime", page, compatible="opensbi,domain,memregion")
    rest = {"base": ["0", "0"], "order": ["40"], "phandle": [everything]}
    _node(tree, f"{domains}/everything", rest, compatible="opensbi,domain,memregion")
    domain = {
        "possible-harts": phandles,
        "boot-hart": phandles[:1],
        "regions": [mtime, f"{READ:x}", everything, f"{ALL:x}"],
        "next-mode": ["1"],
        "system-reset-allowed": [],
        "phandle": [kernel],
    }
    _node(tree, f"{domains}/kernel", domain, compatible="opensbi,domain,instance")
    for hart in harts:
        _run("fdtput", "-t", "x", tree, hart, "opensbi-domain", kernel)
    return tree


def _node(tree: Path, path: str, cells: Mapping[str, Sequence[str]] | None = None, *, compatible: str) -> None:
    """Add a node to a device tree. `cells`: property to hexadecimal cells."""
    _run("fdtput", "-c", tree, path)
    _run("fdtput", "-t", "s", tree, path, "compatible", compatible)
    for name, values in (cells or {}).items():
        _run("fdtput", "-t", "x", tree, path, name, *values)


def _run(*command: str | Path) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise GuestError(f"{command[0]}: not found; ./sconsw --install demo, or install device-tree-compiler") from None
    if done.returncode != 0:
        raise GuestError(f"{' '.join(map(str, command))}: status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


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


def finish(status: int | None, log: Path, seconds: float) -> Run:
    """Return the record of a guest from its `log`; GuestError unless its kernel printed the program's exit status."""
    text = log.read_bytes().decode(errors="replace").replace("\r\n", "\n")
    values = {name: int(value) for name, value in re.findall(r"^kernel: (\S+)=(-?\d+)$", text, re.M)}
    if status is None:
        raise GuestError(f"the guest was killed after {seconds:g} s without an end; what it printed is in {log}")
    if status != 0:
        raise GuestError(f"QEMU ended with status {status}; what was printed is in {log}")
    if "exit" not in values:
        raise GuestError(f"the guest ended without saying `kernel: exit=`; what it printed is in {log}")
    return Run(text, values)
