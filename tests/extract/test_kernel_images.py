# SPDX-License-Identifier: MIT
"""Kernel images made as Linux makes them, with the tools that it calls: a vDSO within a vmlinux, compressed, as EFI zboot."""

from __future__ import annotations

import os
import random
import struct
import subprocess
from pathlib import Path

import pytest
from bases import bases
from container_builder import zboot
from elf_builder import Spec
from elf_builder import build as build_base
from scons_build import build
from vdso.arch.riscv64.facts import RISCV64
from vdso.extract.find import find
from vdso.stubs import toolchain

SOURCE = """
	.text
	.globl _start
_start:	nop
	.incbin "noise"
	.balign 4096
	.globl vdso_start, vdso_end
vdso_start:
	.incbin "vdso.so"
	.balign 4096
vdso_end:
	.data
	.skip 0x1100000
	.incbin "noise"
"""
SIZE = struct.Struct("<I")

# Linux, scripts/Makefile.lib and scripts/xz_wrap.sh; zstd with less effort but the same window, for the machine's sake.
COMMANDS = {
    "Image.gz": "gzip -n -f -9",
    "Image.bz2": "bzip2 -9",
    "Image.lzma": "xz --format=lzma -9",
    "Image.xz": "xz --check=crc32 --threads=1 --lzma2=dict=128MiB",
    "Image.zst": "zstd -q -3 --long=27",
    "Image.lz4": "lz4 -q -l -9 - -",
    "Image.frame.lz4": "lz4 -q -9 - -",
}
ZBOOT = {"gzip": "Image.gz", "lzma": "Image.lzma", "xzkern": "Image.xz", "zstd22": "Image.zst", "lz4": "Image.lz4"}


@pytest.fixture(scope="module")
def base() -> bytes:
    """Return a real vDSO if there is one."""
    real = [path for path in bases("riscv64-linux-*.so") if "-cfi" not in path.name]
    return real[0].read_bytes() if real else build_base(Spec())


@pytest.fixture(scope="module")
def kernel(base: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with vmlinux, an Image of three blocks of lz4, and the compressed forms of it."""
    folder = tmp_path_factory.mktemp("kernel")
    (folder / "noise").write_bytes(random.Random(5).randbytes(0x8000))
    (folder / "vdso.so").write_bytes(base)
    (folder / "kernel.S").write_text(SOURCE)
    compiler = toolchain.find_compiler(RISCV64, "", os.environ["PATH"])
    assert compiler
    prefix = compiler.cc.removesuffix("gcc")
    link = ["-nostdlib", "-static", "-Wl,-Ttext=0xffffffff80000000,--build-id=none"]
    for command in (
        [f"{prefix}gcc", *link, "-o", "vmlinux", "kernel.S"],
        [f"{prefix}objcopy", "-O", "binary", "-S", "vmlinux", "Image"],
    ):
        subprocess.run(command, cwd=folder, check=True)
    image = (folder / "Image").read_bytes()
    assert len(image) > 0x1100000
    for name, command in COMMANDS.items():
        made = subprocess.run(command.split(), input=image, capture_output=True, check=True)
        (folder / name).write_bytes(made.stdout)
    return folder


@pytest.mark.parametrize("name", ["vmlinux", "Image", *COMMANDS])
def test_image(kernel: Path, base: bytes, name: str) -> None:
    data = (kernel / name).read_bytes()
    assert name not in COMMANDS or len(data) < (kernel / "Image").stat().st_size // 8
    assert find(name, data, RISCV64) == base


@pytest.mark.parametrize("kind", ZBOOT)
def test_zboot(kernel: Path, base: bytes, kind: str) -> None:
    """Makefile.zboot puts the size behind what does not end in it by itself, and the compressed kernel before more sections."""
    payload = (kernel / ZBOOT[kind]).read_bytes()
    if kind != "gzip":
        payload += SIZE.pack((kernel / "Image").stat().st_size)
    assert find(kind, zboot(payload, kind) + bytes(0x400), RISCV64) == base


def test_builds_from_one(kernel: Path, tmp_path: Path) -> None:
    plain = build(tmp_path / "plain", f"BASE={kernel / 'vdso.so'}")
    packed = build(tmp_path / "packed", f"BASE={kernel / 'Image.lz4'}")
    assert (packed / "vdso.so").read_bytes() == (plain / "vdso.so").read_bytes()
