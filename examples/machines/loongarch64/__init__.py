# SPDX-License-Identifier: MIT
"""QEMU's `virt` without firmware. In QEMU 7.2 it has no LSX, which Debian's C libraries need: programs have ../../libc."""

from __future__ import annotations

from ..fw_cfg import guest
from ..machine import EXAMPLES, SOURCES, Machine, image_sources, includes

ARCH = "loongarch64"
LIBC = EXAMPLES / "libc"
LIBRARY = (str(LIBC / "libc.c"), str(SOURCES / ARCH / "selftest" / "start.S"))


LOONGARCH64 = Machine(
    arch=ARCH,
    elf=258,
    qemu=("qemu-system-loongarch64", "-M", "virt", "-m", "1G", "-nic", "none", "-nographic"),
    guest=guest,
    page_size=16384,
    hz=100_000_000,
    compile=(
        "clang-19", "--target=loongarch64-unknown-linux-gnu", "-mno-lsx", "-O2", "-ffreestanding", "-static",
        "-fuse-ld=lld-19", "-nostdlib", "-nostdlibinc", "-isystem", str(LIBC), *includes(ARCH),
        "-Dselftest=libc_start", *LIBRARY, *image_sources(),
    ),
    reader=(),
    place=None,
)  # fmt: skip
