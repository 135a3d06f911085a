# SPDX-License-Identifier: MIT
"""Decompresses kernels, core files and packages in bounded chunks. The first bytes tell what a stream is compressed with.

A small file that claims to be huge is an error and not a dead machine: the whole content, each chunk of it, and the memory
that a decoder asks for have limits. Bytes behind a stream are ignored: Linux puts the size of the content there
(scripts/Makefile.lib, size_append).
"""

from __future__ import annotations

import bz2
import lzma
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import lz4.block
import lz4.frame
import zstandard

from ..errors import VdsoError

LIMIT = 512 << 20
"""Bytes of the content of one stream."""
TOTAL = 12 << 30
"""Bytes that one file unpacks to in all, layer by layer."""
MEMORY = 256 << 20
"""Bytes that an xz, lzma or zstd decoder may take. Linux's own images need a dictionary of 128 MiB (scripts/xz_wrap.sh)."""

AGAIN = "get the whole file again"
UNPACK = "decompress it first"
_CHUNK = 1 << 20
_PIECE = 1 << 16
# Each block of a legacy frame but the last has this much content (lz4's lz4_Frame_format.md).
_LZ4_BLOCK = 8 << 20
_LZ4_LARGEST = _LZ4_BLOCK + _LZ4_BLOCK // 255 + 16  # LZ4_COMPRESSBOUND: the most that such a block takes compressed


def _gzip(data: bytes) -> Iterator[bytes]:
    stream, view = zlib.decompressobj(wbits=31), memoryview(data)
    for at in range(0, len(data), _PIECE):  # zlib copies all that it does not consume: of a piece, never of the rest
        piece: bytes | memoryview = view[at : at + _PIECE]
        chunk = b""
        while piece or len(chunk) == _CHUNK:
            chunk = stream.decompress(piece, _CHUNK)
            piece = stream.unconsumed_tail
            yield chunk
            if stream.eof:
                return
    raise EOFError


def _steps(stream: bz2.BZ2Decompressor | lzma.LZMADecompressor, data: bytes) -> Iterator[bytes]:
    while not stream.eof:
        chunk = stream.decompress(data, _CHUNK)
        data = b""
        if not chunk and stream.needs_input and not stream.eof:
            raise EOFError
        yield chunk


def _fed(stream: Any, data: bytes) -> Iterator[bytes]:
    """Feed a decoder that has no bound on what one call gives: of 1 KiB, zstd makes at most 32 MiB, lz4 4 MiB."""
    view = memoryview(data)
    for at in range(0, len(data), 1024):
        yield stream.decompress(view[at : at + 1024])
        if stream.eof:
            return
    raise EOFError


def _lz4_legacy(data: bytes) -> Iterator[bytes]:
    """Read the legacy frame, which Linux takes and lz4's Python package does not: sizes and blocks, and no end mark."""
    at, content = 4, _LZ4_BLOCK
    while content == _LZ4_BLOCK:
        if at > 4 and len(data) - at <= 4:
            return
        if len(data) - at < 4:
            raise EOFError
        (size,) = struct.unpack_from("<I", data, at)
        if at > 4 and not 0 < size <= _LZ4_LARGEST:
            return
        at += 4
        if len(data) - at < size:
            raise EOFError
        chunk = lz4.block.decompress(memoryview(data)[at : at + size], uncompressed_size=_LZ4_BLOCK)
        at, content = at + size, len(chunk)
        yield chunk


# First bytes, name and decoder. Kernels may be compressed with lzo too: it has a row only so that the error can name it.
_KINDS: tuple[tuple[bytes, str, Callable[[bytes], Iterator[bytes]] | None], ...] = (
    (b"\x1f\x8b", "gzip", _gzip),
    (b"\xfd7zXZ\0", "xz", lambda data: _steps(lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY), data)),
    (b"\x5d\0\0", "lzma", lambda data: _steps(lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=MEMORY), data)),
    (b"BZh", "bzip2", lambda data: _steps(bz2.BZ2Decompressor(), data)),
    (b"\x28\xb5\x2f\xfd", "zstd", lambda data: _fed(zstandard.ZstdDecompressor(max_window_size=MEMORY).decompressobj(), data)),
    (b"\x02\x21\x4c\x18", "lz4", _lz4_legacy),
    (b"\x04\x22\x4d\x18", "lz4", lambda data: _fed(lz4.frame.LZ4FrameDecompressor(), data)),
    (b"\x89LZO", "lzo", None),
)
KINDS = tuple(dict.fromkeys(kind for _, kind, chunks in _KINDS if chunks))


def kind(data: bytes) -> str:
    """Return what `data` is compressed with, "" for nothing that is known. Only KINDS can be read."""
    return next((kind for magic, kind, _ in _KINDS if data.startswith(magic)), "")


def decompress(name: str, data: bytes, limit: int = LIMIT) -> bytes:
    """Return the content of a stream of one of KINDS, of at most `limit` bytes. VdsoError(name)."""
    return b"".join(chunks(name, data, limit))


def chunks(name: str, data: bytes, limit: int) -> Iterator[bytes]:
    """Yield the content of such a stream, piece by piece."""
    stream = kind(data)
    decode = next(decode for magic, _, decode in _KINDS if data.startswith(magic))
    assert decode is not None
    total = 0
    try:
        for chunk in decode(data):
            total += len(chunk)
            if total > limit:
                raise VdsoError(name, f"its {stream} stream is larger than {limit:#x} bytes", UNPACK)
            yield chunk
    except EOFError:
        what = f"truncated: its {stream} stream goes on behind the data's end at {len(data):#x}, {total:#x} bytes came out"
        raise VdsoError(name, what, AGAIN) from None
    except (zlib.error, lzma.LZMAError, OSError, RuntimeError, zstandard.ZstdError, lz4.block.LZ4BlockError) as error:
        raise VdsoError(name, *_refused(stream, total, str(error))) from None


class Streams:
    """The compressed streams of one file. Mutable: it counts the bytes that have come out of all of them, up to TOTAL."""

    def __init__(self, name: str) -> None:
        self.name, self.total = name, 0

    def chunks(self, data: bytes, limit: int) -> Iterator[bytes]:
        """Yield the content of one of them, of at most `limit` bytes, piece by piece. VdsoError(name)."""
        for chunk in chunks(self.name, data, limit):
            self.total += len(chunk)
            if self.total > TOTAL:
                raise VdsoError(self.name, f"unpacks to more than {TOTAL:#x} bytes in all", UNPACK)
            yield chunk

    def content(self, data: bytes) -> bytes:
        """Return the content of one of them, of at most LIMIT bytes. VdsoError(name)."""
        return b"".join(self.chunks(data, LIMIT))


def _refused(stream: str, total: int, words: str) -> tuple[str, str]:
    """Return what a decoder's error means, and what to do."""
    if "memory" in words.lower():
        return f"its {stream} stream asks for more memory than {MEMORY:#x} bytes: {words}", UNPACK
    if "unsupported" in words.lower():
        return f"its {stream} stream needs a filter that the {stream} library here has not: {words}", UNPACK
    return f"its {stream} stream is damaged after {total:#x} bytes: {words}", AGAIN
