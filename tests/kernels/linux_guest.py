# SPDX-License-Identifier: MIT
"""A Linux guest: Debian's kernel with another vDSO in it, and an initramfs of programs that programs/init.c runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kernels.program_builds import static
from machines import MACHINES
from qemu import execute
from vdso.arch.arch import Arch
from vdso.elf.elf64 import PAGE
from vdso.ranges import align_up

SECONDS = 90
ELF = b"\x7fELF"


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

    def failed(self) -> set[str]:
        """Return what vdso-selftest finds wrong."""
        return {name for line in self.lines["selftest"] for name in re.findall(r"^not ok \d+ - (.*)$", line)}

    def dumped(self) -> bytes:
        """Return the vDSO as programs/dump.c prints it: to the end of its section table."""
        assert self.status["dump"] == 0
        return bytes.fromhex("".join(self.lines["dump"]))

    def patched(self, file: bytes) -> set[int]:
        """Return at which places the vDSO that is mapped differs from that of a file."""
        mapped = self.dumped()
        assert file[:4] == mapped[:4] == ELF
        return {at for at in range(len(mapped)) if mapped[at] != file[at]}


@dataclass(frozen=True)
class Linux:
    """Debian's kernel of one architecture as a guest.

    console         the name of its device
    measured        returns the counter's frequency where QEMU's machine has no constant one
    words           returns further words of the kernel's command line
    other_counter   words by which the kernel has another counter for its clock, and so can judge a frequency that is measured
    put_vdso        returns the kernel with another vDSO in place of its own
    """

    arch: Arch
    console: str = "ttyS0"
    measured: Callable[[], int] | None = None
    words: Callable[[], tuple[str, ...]] = tuple
    other_counter: tuple[str, ...] = ()
    put_vdso: Callable[[bytes, bytes, bytes], bytes] = with_vdso

    @property
    def hz(self) -> int:
        hz = self.measured() if self.measured else MACHINES[self.arch.name].hz
        assert hz is not None
        return hz

    def boot(
        self,
        folder: Path,
        kernel: bytes,
        programs: Mapping[str, Path],
        commands: Sequence[Sequence[str]],
        words: Sequence[str] = (),
    ) -> Guest:
        """Boot, run each command (the name of a program and its arguments) and switch off.

        words   further ones of the kernel's command line
        """
        image, initrd, log = folder / "Image", folder / "initramfs", folder / "guest.txt"
        image.write_bytes(kernel)
        files = {"init": static("init", "glibc", self.arch.name), **programs}
        initrd.write_bytes(initramfs({name: path.read_bytes() for name, path in files.items()}))
        arguments = " : ".join(" ".join([f"/{name}", *rest]) for name, *rest in commands)
        line = " ".join([f"console={self.console} loglevel=4 panic=-1", *self.words(), *words, "--", arguments])
        command = [*MACHINES[self.arch.name].qemu, "-smp", "2", "-no-reboot"]
        status = execute([*command, "-kernel", str(image), "-initrd", str(initrd), "-append", line], log, SECONDS)
        text = log.read_bytes().decode(errors="replace").replace("\r\n", "\n")
        assert status == 0, f"status {status}:\n{text[-3000:]}"
        guest = _read(text)
        assert list(guest.status) == [name for name, *_ in commands], text[-3000:]
        return guest


def _read(text: str) -> Guest:
    """Return what a guest printed."""
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
