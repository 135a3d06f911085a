# SPDX-License-Identifier: MIT
"""What a file holds: from its bytes to the payloads in which a vDSO can lie.

    raw             the file itself: a vDSO, a dump, vmlinux, a kernel Image, an ELF core
    gzip, xz, zstd  as kernels are compressed (Image.gz)
    EFI zboot       "MZ", "zimg", offset and size of the compressed payload (Linux: libstub/zboot-header.S)
    .deb            the kernel images and vDSO files of its data.tar (deb(5)), read as streams, never unpacked to a path

Whatever is decompressed is bounded: a small file that claims to be huge is an error and not a dead machine.
"""

from __future__ import annotations

import io
import lzma
import re
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator

import zstandard
from debian.arfile import ArError, ArFile

from .errors import VdsoError

LIMIT = 512 << 20  # of one payload, bytes
STREAM_LIMIT = 8 << 30  # of a whole data.tar, of which only payloads are kept
XZ_MEMORY = 128 << 20  # bytes; xz -9 needs half of it
DEPTH = 4  # a .deb of an EFI zboot of a gzip is three deep

AGAIN = "get the whole file again"
UNPACK = "decompress it first"
GZIP, XZ, ZSTD = b"\x1f\x8b", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"
AR = b"!<arch>\n"
# What else kernels are compressed with: recognised, to say so.
OTHERS = {
    b"BZh": "bzip2",
    b"\x5d\0\0": "lzma",
    b"\x02\x21\x4c\x18": "lz4",
    b"\x04\x22\x4d\x18": "lz4",
    b"\x89LZO": "lzo",
}
KERNEL = re.compile(r"(.*/)?(vmlinu[xz]|Image)[^/]*|(.*/)?vdso[^/]*\.so")


def payloads(name: str, data: bytes, label: str = "", depth: int = DEPTH) -> Iterator[tuple[str, bytes]]:
    """(label, bytes) of each payload in `data`; the label says where in the file it lies, "" is the file itself.

    VdsoError(name) for what is truncated, damaged, too large or compressed in a way that we can't read.
    """
    unpack = _container(name, data)
    if unpack is None:
        yield label, data
        return
    if not depth:
        raise VdsoError(name, f"compressed more than {DEPTH} times over ({label})", UNPACK)
    for inner, payload in unpack():
        yield from payloads(name, payload, f"{inner} of {label}" if label else inner, depth - 1)


def _container(name: str, data: bytes) -> Callable[[], Iterator[tuple[str, bytes]]] | None:
    """What takes the payloads out of `data`, None when it is a payload."""
    if data.startswith(AR):
        return lambda: _deb(name, data)
    if data[:2] == b"MZ" and data[4:8] == b"zimg":
        return lambda: _zboot(name, data)
    kind = _compression(data)
    if kind in _CHUNKS:
        return lambda: iter([(f"its {kind} payload", decompress(name, data))])
    if kind:
        raise VdsoError(name, f"compressed with {kind}, which is none of {', '.join(_CHUNKS)}", UNPACK)
    return None


def _compression(data: bytes) -> str:
    if data.startswith(GZIP):
        return "gzip"
    if data.startswith(XZ):
        return "xz"
    if data.startswith(ZSTD):
        return "zstd"
    return next((kind for magic, kind in OTHERS.items() if data.startswith(magic)), "")


def decompress(name: str, data: bytes, limit: int = LIMIT) -> bytes:
    """The content of a gzip, xz or zstd stream, of at most `limit` bytes. What follows the stream is not looked at."""
    return b"".join(_bounded(name, data, limit))


def _bounded(name: str, data: bytes, limit: int) -> Iterator[bytes]:
    kind = _compression(data)
    total = 0
    try:
        for chunk in _CHUNKS[kind](data):
            total += len(chunk)
            if total > limit:
                raise VdsoError(name, f"its {kind} stream is larger than {limit:#x} bytes", UNPACK)
            yield chunk
    except EOFError:
        what = f"truncated: its {kind} stream goes on behind the data's end at {len(data):#x}, {total:#x} bytes came out"
        raise VdsoError(name, what, AGAIN) from None
    except (zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
        raise VdsoError(name, f"its {kind} stream is damaged after {total:#x} bytes: {error}", AGAIN) from None


def _gzip(data: bytes) -> Iterator[bytes]:
    stream = zlib.decompressobj(wbits=31)
    while not stream.eof:
        chunk = stream.decompress(data, _CHUNK)
        data = stream.unconsumed_tail
        if not chunk and not data and not stream.eof:
            raise EOFError
        yield chunk


def _xz(data: bytes) -> Iterator[bytes]:
    stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)
    while not stream.eof:
        chunk = stream.decompress(data, _CHUNK)
        data = b""
        if not chunk and stream.needs_input and not stream.eof:
            raise EOFError
        yield chunk


def _zstd(data: bytes) -> Iterator[bytes]:
    # decompressobj has no bound on what one call gives: 1 KiB of input is at most 256 blocks of 128 KiB.
    stream = zstandard.ZstdDecompressor().decompressobj()
    view = memoryview(data)
    for at in range(0, len(data), 1024):
        yield stream.decompress(view[at : at + 1024])
        if stream.eof:
            return
    raise EOFError


_CHUNK = 1 << 20
_CHUNKS: dict[str, Callable[[bytes], Iterator[bytes]]] = {"gzip": _gzip, "xz": _xz, "zstd": _zstd}


def _zboot(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    if len(data) < 64:
        raise VdsoError(name, f"truncated: its EFI zboot header ends at 0x40 and the data at {len(data):#x}", AGAIN)
    offset, size = struct.unpack_from("<II", data, 8)
    if offset + size > len(data):
        end = offset + size
        raise VdsoError(name, f"truncated: its EFI zboot payload ends at {end:#x} and the data at {len(data):#x}", AGAIN)
    payload = data[offset : offset + size]
    kind = data[24:56].partition(b"\0")[0].decode("ascii", "replace")
    if _compression(payload) not in _CHUNKS:
        raise VdsoError(name, f"EFI zboot payload compressed with {kind!r}, which is none of {', '.join(_CHUNKS)}", UNPACK)
    yield f"its EFI zboot payload ({kind})", decompress(name, payload)


class _Stream(io.RawIOBase):
    """Chunks as a file to read from."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._rest = chunks, b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        out, have = [self._rest], len(self._rest)
        while size < 0 or have < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            out.append(chunk)
            have += len(chunk)
        whole = b"".join(out)
        end = have if size < 0 else size
        self._rest = whole[end:]
        return whole[:end]


def _deb(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    for tar in _data_tars(name, data):
        plain = tar[257:262] == b"ustar"
        chunks = iter([tar]) if plain else _bounded(name, tar, STREAM_LIMIT)
        try:
            with tarfile.open(fileobj=_Stream(chunks), mode="r|") as members:
                for member in members:
                    if not member.isreg() or not KERNEL.fullmatch(member.name.removeprefix("./")):
                        continue
                    if member.size > LIMIT:
                        raise VdsoError(name, f"{member.name} in it has {member.size:#x} bytes (at most {LIMIT:#x})", UNPACK)
                    content = members.extractfile(member)
                    if content is not None:
                        yield member.name.removeprefix("./"), content.read()
        except tarfile.TarError as error:
            raise VdsoError(name, f"its data.tar is damaged: {error}", AGAIN) from None


class _Forward(io.BytesIO):
    """ArFile skips a member by its size; a negative one would send it round in circles."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if whence == 1 and offset < 0:
            raise ArError(f"a member of {offset} bytes")
        return super().seek(offset, whence)


def _data_tars(name: str, data: bytes) -> list[bytes]:
    """The data.tar of a .deb, still compressed."""
    try:
        archive = ArFile(fileobj=_Forward(data))
        members = [m for m in archive.getmembers() if m.name.startswith("data.tar")]
        tars = [m.read() for m in members]
    except (ArError, OSError, ValueError) as error:
        raise VdsoError(name, f"its ar archive is damaged or truncated at {len(data):#x}: {error}", AGAIN) from None
    if not members:
        raise VdsoError(name, f"truncated .deb, or no .deb: an ar archive of {len(data):#x} bytes without data.tar", AGAIN)
    for member, tar in zip(members, tars, strict=True):
        if len(tar) != member.size:
            what = f"truncated: its {member.name} has {len(tar):#x} of {member.size:#x} bytes"
            raise VdsoError(name, what, AGAIN)
        if _compression(tar) not in _CHUNKS and tar[257:262] != b"ustar":
            raise VdsoError(name, f"{member.name} is none of {', '.join(_CHUNKS)}", UNPACK)
    return tars
