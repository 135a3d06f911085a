# SPDX-License-Identifier: MIT
"""Files that hold a vDSO, or seem to: dumps, kernel images, cores, archives; sound ones, and changed ones."""

from __future__ import annotations

import io
import struct
import tarfile
from collections.abc import Callable

import container_builder
import core_builder
from container_builder import COMPRESS, ar, bzimage, zboot

from .choices import Choices

NAMES = ("boot/vmlinuz-6.1", "./boot/vmlinux", "usr/lib/debug/vdso.so", "lib/modules/x/vdso/vdso64.so", "Image.gz", "other",
         "../vmlinuz", "/vmlinuz")  # fmt: skip
FAST = tuple(name for name in COMPRESS if name != "zstd")  # level 22 takes longer than all the rest


def dump(inner: bytes, choices: Choices) -> bytes:
    """Put memory around `inner`, page by page."""
    page = bytes(0x1000)
    before = choices.pick((b"", page, b"MZ" + bytes(0x3E), b"\x7fELF" * 16, choices.bytes(64)))
    after = choices.pick((b"", bytes(-len(inner) % 0x1000), page, inner, choices.bytes(32)))
    return before + inner + after


def stream(inner: bytes, choices: Choices) -> bytes:
    return COMPRESS[choices.pick(FAST)](inner) + choices.pick((b"", b"", struct.pack("<I", len(inner)), b"\0" * 7))


def kernel(inner: bytes, choices: Choices) -> bytes:
    kind = choices.pick(FAST)
    extra = choices.pick((0, 0, 0, 1, -1, 0x1000))
    if choices.chance(2):
        return bzimage(COMPRESS[kind](inner), choices.pick((0, 1, 0xFF)), choices.pick((0x20F, 0x208, 0x207)), extra)
    return zboot(COMPRESS[kind](inner), kind, extra)


def core(inner: bytes, choices: Choices) -> bytes:
    at = choices.pick((0x7FFF0000, 0x10000, 0x3000))
    spec = core_builder.Core(
        segments={0x10000: b"code", at: inner} if choices.chance(2) else {at: inner},
        vdso=choices.pick((at, at, at, at + 0x1000, 0, None)),
        missing=choices.pick((0, 0, 0x1000)),
        auxv=not choices.chance(8),
        extended=choices.chance(8),
        bits=choices.pick((64, 64, 64, 32)),
        endian=choices.pick(("<", "<", "<", ">")),
    )
    return core_builder.build(spec)


def archive(inner: bytes, choices: Choices) -> bytes:
    """Put `inner` into a .deb: names, types and sizes of members as tar has them, pax and GNU headers too."""
    out = io.BytesIO()
    form = choices.pick((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT))
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for _ in range(choices.pick((1, 1, 2, 3))):
            info = tarfile.TarInfo(
                choices.pick(NAMES) + ("x" * 120 if choices.chance(8) and form != tarfile.USTAR_FORMAT else "")
            )
            info.type = choices.pick((tarfile.REGTYPE,) * 6 + (tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.LNKTYPE))
            info.size = len(inner) if info.isreg() else 0
            if form == tarfile.PAX_FORMAT and choices.chance(2):
                size = choices.pick((str(len(inner)), str(1 << 60), "-1", "x", "0"))
                info.pax_headers = choices.pick(
                    ({"comment": "c"}, {"size": size}, {"GNU.sparse.major": "1"}, {"path": "vmlinuz"})
                )
            tar.addfile(info, io.BytesIO(inner))
    data = bytearray(out.getvalue())
    if choices.chance(3):
        tar_header(data, choices)
    kind = choices.pick((*FAST, "tar"))
    suffix = "" if kind == "tar" else f".{container_builder.SUFFIX[kind]}"
    packed = bytes(data) if kind == "tar" else COMPRESS[kind](bytes(data))
    return ar(**{"debian-binary": b"2.0\n", "control.tar.xz": b"", f"data.tar{suffix}": packed})


def tar_header(data: bytearray, choices: Choices) -> None:
    """Change type or size in the first header, and correct its checksum."""
    header = data[:512]
    if choices.chance(2):
        header[156:157] = choices.pick((b"x", b"g", b"L", b"K", b"S", b"0", b"7", b"D", b"V"))
    else:
        size = choices.pick(
            (b"77777777777\0", b"00000000000\0", b"\xff" * 12, b"\x80" + b"\0" * 3 + b"\xff" * 8, b"00000000017\0")
        )
        header[124:136] = size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    data[:512] = header


WAYS: tuple[Callable[[bytes, Choices], bytes], ...] = (dump, stream, kernel, core, archive)


def wrap(inner: bytes, choices: Choices) -> bytes:
    """Put `inner` into one file or two, and half of the times change a few bytes of the outer one."""
    data = inner
    for _ in range(choices.pick((1, 1, 1, 2, 2, 3))):
        data = choices.pick(WAYS)(data, choices)
    if choices.chance(2):
        changed = bytearray(data)
        for _ in range(choices.pick((1, 1, 2, 4))):
            # the first bytes are headers
            at = choices.below(min(len(changed), choices.pick((64, 512, 1 << 20))))
            changed[at] = choices.pick((0, 0xFF, changed[at] ^ 1 << choices.below(8), choices.below(256)))
        if choices.chance(6):
            del changed[choices.below(len(changed)) :]
        data = bytes(changed)
    return data
