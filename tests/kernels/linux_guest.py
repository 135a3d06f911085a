# SPDX-License-Identifier: MIT
"""A Linux guest: Debian's kernel with another vDSO in it, and an initramfs of programs that programs/init.c runs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from machines import MACHINES, Machine
from qemu import execute
from vdso.elf.elf64 import PAGE
from vdso.ranges import align_up

SECONDS = 90


def with_vdso(kernel: bytes, base: bytes, image: bytes) -> bytes:
    """Put `image` into the kernel in place of its own vDSO, `base`, whose pages it maps and whose offsets it knows."""
    assert kernel.count(base) == 1, "the vDSO must lie uncompressed in the kernel, once"
    at = kernel.index(base)
    room = align_up(len(base), PAGE)
    assert at % PAGE == 0
    assert not any(kernel[at + len(base) : at + room]), "something else lies behind the vDSO"
    assert len(image) <= room, f"an image of {len(image):#x} bytes where the kernel maps {room:#x}"
    return kernel[:at] + image.ljust(room, b"\0") + kernel[at + room :]


def initramfs(files: Mapping[str, bytes]) -> bytes:
    """Return a cpio archive of executable files, in the form newc (Linux: driver-api/early-userspace/buffer-format.rst)."""
    out = bytearray()
    for number, (name, data) in enumerate([*files.items(), ("TRAILER!!!", b"")]):
        mode = 0o100755 if data else 0
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    return bytes(out)


@dataclass(frozen=True)
class Guest:
    """What the programs printed, a list of lines each, and their exit statuses; `vdso`: what init found mapped."""

    vdso: int
    lines: Mapping[str, list[str]]
    status: Mapping[str, int]

    def last(self, name: str) -> str:
        return self.lines[name][-1]


def boot(
    folder: Path,
    kernel: bytes,
    programs: Mapping[str, Path],
    commands: Sequence[Sequence[str]],
    machine: Machine = MACHINES["riscv64"],
    console: str = "ttyS0",
) -> Guest:
    """Boot, run each command (the name of a program and its arguments) and switch off; `programs` has one called init."""
    image, initrd, log = folder / "Image", folder / "initramfs", folder / "guest.txt"
    image.write_bytes(kernel)
    initrd.write_bytes(initramfs({name: path.read_bytes() for name, path in programs.items()}))
    arguments = " : ".join(" ".join([f"/{name}", *rest]) for name, *rest in commands)
    line = f"console={console} loglevel=4 panic=-1 -- {arguments}"
    command = [*machine.qemu, "-smp", "2", "-no-reboot"]
    status = execute([*command, "-kernel", str(image), "-initrd", str(initrd), "-append", line], log, SECONDS)
    text = log.read_bytes().decode(errors="replace").replace("\r\n", "\n")
    assert status == 0, f"status {status}:\n{text[-3000:]}"
    found = re.search(r"^init: vdso=([0-9a-f]{16})$", text, re.M)
    assert found, text[-3000:]
    lines: dict[str, list[str]] = {}
    statuses: dict[str, int] = {}
    printed: list[str] = []
    for each in text[found.end() + 1 :].splitlines():
        done = re.fullmatch(r"init: /(\S+)=(\d+)", each)
        if done:
            lines[done[1]], statuses[done[1]], printed = printed, int(done[2]), []
        else:
            printed.append(each)
    return Guest(int(found[1], 16), lines, statuses)


def first_page(image: bytes) -> int:
    """Return the FNV-1a hash that init prints of the mapped bytes."""
    value = 0xCBF29CE484222325
    for byte in image[:PAGE].ljust(PAGE, b"\0"):
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value
