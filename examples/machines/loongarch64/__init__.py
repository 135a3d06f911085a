# SPDX-License-Identifier: MIT
"""QEMU's `virt` without firmware. In QEMU 7.2 it has no LSX, which Debian's C libraries need: programs have ../../libc."""

from __future__ import annotations

from pathlib import Path

from ..machine import EXAMPLES, SOURCES, Machine, image_sources, includes

ARCH = "loongarch64"
LIBC = EXAMPLES / "libc"
LIBRARY = (str(LIBC / "libc.c"), str(SOURCES / ARCH / "selftest" / "start.S"))


def _guest(kernel: Path, program: Path, line: str) -> list[str]:
    """Return words that put program and command line into fw_cfg, where the kernel finds them."""
    files = (f"name=opt/program,file={_value(str(program))}", f"name=opt/words,string={_value(line)}")
    return ["-kernel", str(kernel), *(word for file in files for word in ("-fw_cfg", file))]


def _value(text: str) -> str:
    """Return a value of an option of QEMU, which a comma would end."""
    return text.replace(",", ",,")


LOONGARCH64 = Machine(
    arch=ARCH,
    elf=258,
    qemu=("qemu-system-loongarch64", "-M", "virt", "-m", "1G", "-nic", "none", "-nographic"),
    guest=_guest,
    page_size=16384,
    hz=100_000_000,
    compile=(
        "clang-19", "--target=loongarch64-unknown-linux-gnu", "-mno-lsx", "-O2", "-ffreestanding", "-static",
        "-fuse-ld=lld-19", "-nostdlib", "-nostdlibinc", "-isystem", str(LIBC), *includes(ARCH),
        "-Dselftest=libc_start", *LIBRARY, *image_sources(),
    ),
    reader=(),
)  # fmt: skip
