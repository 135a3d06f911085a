# SPDX-License-Identifier: MIT
"""What a vDSO comes wrapped in, as bytes: each compression, EFI zboot images, Debian packages."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile

import lz4.block
import lz4.frame
import zstandard

LZ4_BLOCK = 8 << 20


def lz4_legacy(data: bytes) -> bytes:
    """Compress as `lz4 -l` does: a size and a block for each 8 MiB."""
    parts = (data[at : at + LZ4_BLOCK] for at in range(0, len(data), LZ4_BLOCK))
    blocks = [lz4.block.compress(part, mode="high_compression", store_size=False) for part in parts]
    return b"\x02\x21\x4c\x18" + b"".join(struct.pack("<I", len(block)) + block for block in blocks)


COMPRESS = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "bzip2": bz2.compress,
    "zstd": zstandard.ZstdCompressor(level=22, write_checksum=True).compress,
    "lz4": lz4_legacy,
    "lz4 frame": lambda data: lz4.frame.compress(data, content_checksum=True),
}
# Damage to these goes unseen by the decoder.
UNCHECKED = ("lzma", "lz4")
SUFFIX = {"gzip": "gz", "xz": "xz", "lzma": "lzma", "bzip2": "bz2", "zstd": "zst", "lz4": "lz4", "lz4 frame": "lz4"}


def named(kind: str) -> str:
    """Return the name in errors and labels."""
    return kind.partition(" ")[0]


def zboot(payload: bytes, kind: str, extra: int = 0) -> bytes:
    """Return an EFI zboot image: header, zeros for a PE stub, payload. The header claims `extra` bytes that are not there."""
    head = struct.pack("<2sxx4sII8x", b"MZ", b"zimg", 0x400, len(payload) + extra) + kind.encode()
    return head.ljust(0x400, b"\0") + payload


def bzimage(payload: bytes, sectors: int = 0x1B, protocol: int = 0x20F, extra: int = 0) -> bytes:
    """Return a bzImage: boot sector, setup code of so many sectors (0 says 4), startup code, payload.

    The header claims `extra` bytes that are not there.
    """
    head = bytearray(512 * (1 + (sectors or 4)))
    head[0:2], head[0x1F1], head[0x1FE:0x200], head[0x202:0x206] = b"MZ", sectors, b"\x55\xaa", b"HdrS"
    struct.pack_into("<H", head, 0x206, protocol)
    struct.pack_into("<II", head, 0x248, 0x300, len(payload) + extra)
    return bytes(head) + bytes(0x300) + payload


def tar(**files: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def ar(**members: bytes) -> bytes:
    out = b"!<arch>\n"
    for name, data in members.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
    return out


def deb(kind: str = "xz", **files: bytes) -> bytes:
    data = tar(**files)
    name, data = ("data.tar", data) if kind == "tar" else (f"data.tar.{SUFFIX[kind]}", COMPRESS[kind](data))
    return ar(**{"debian-binary": b"2.0\n", "control.tar.xz": b"odd", name: data})
