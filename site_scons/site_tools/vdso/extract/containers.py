# SPDX-License-Identifier: MIT
"""What a file holds: from its bytes to the payloads in which a vDSO can lie.

raw         the file itself: a vDSO, a dump, vmlinux, a kernel Image
compressed  as kernels are: Image.gz, Image.xz (compression.py)
EFI zboot   "MZ", "zimg", offset and size of the compressed payload (Linux: libstub/zboot-header.S)
ELF core    the vDSO of the process whose core it is, and nothing else of its memory (core.py)
.deb        the kernel images and vDSO files of its data.tar (deb(5)), read as streams, never unpacked to a path
"""

from __future__ import annotations

import io
import re
import struct
import tarfile
from collections.abc import Callable, Iterator
from functools import partial

from debian.arfile import ArError, ArFile

from ..errors import VdsoError
from . import compression, core
from .compression import AGAIN, KINDS, LIMIT, UNPACK
from .core import read_core

STREAM_LIMIT = 8 << 30  # of a whole data.tar, of which only payloads are kept
TOTAL = 12 << 30  # of all that one file unpacks to, layer by layer
MOST_MEMBERS = 64  # of an ar archive: a .deb has three
PIECE = 1 << 16  # in which files of a tar are read
MOST_AT_ONCE = 1 << 20  # what tarfile asks for in one go is a header's extension, and Linux's longest path is 4 KiB
DEPTH = 4  # a .deb of an EFI zboot of a gzip is three deep

AR = b"!<arch>\n"
KERNEL = re.compile(r"(.*/)?(vmlinu[xz]|Image)[^/]*|(.*/)?vdso[^/]*\.so")


class _Streams:
    """The streams of one file. Mutable: it counts what has come out of all of them, which is limited."""

    def __init__(self, name: str) -> None:
        self.name, self.total = name, 0

    def chunks(self, data: bytes, limit: int) -> Iterator[bytes]:
        for chunk in compression.chunks(self.name, data, limit):
            self.total += len(chunk)
            if self.total > TOTAL:
                raise VdsoError(self.name, f"unpacks to more than {TOTAL:#x} bytes in all", UNPACK)
            yield chunk

    def content(self, data: bytes) -> bytes:
        return b"".join(self.chunks(data, LIMIT))


def payloads(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """(label, bytes) of each payload in `data`; the label says where in the file it lies, "" is the file itself.

    VdsoError(name) for what is truncated, damaged, too large or compressed in a way that we can't read.
    """
    return _payloads(name, data, "", DEPTH, _Streams(name))


def _payloads(name: str, data: bytes, label: str, depth: int, streams: _Streams) -> Iterator[tuple[str, bytes]]:
    unpack = _container(name, data, streams)
    if unpack is None:
        yield label, data
        return
    if not depth:
        raise VdsoError(name, f"compressed more than {DEPTH} times over ({label})", UNPACK)
    for inner, payload in unpack():
        yield from _payloads(name, payload, f"{inner} of {label}" if label else inner, depth - 1, streams)


def _container(name: str, data: bytes, streams: _Streams) -> Callable[[], Iterator[tuple[str, bytes]]] | None:
    """What takes the payloads out of `data`, None when it is a payload."""
    if data.startswith(AR):
        return lambda: _deb(name, data, streams)
    if data[:2] == b"MZ" and data[4:8] == b"zimg":
        return lambda: _zboot(name, data, streams)
    headers = read_core(data)
    vector = core.auxv(name, data, headers) if headers else None
    if headers is not None and vector is not None:
        return lambda: iter([core.vdso_mapping(name, data, headers, vector)])
    kind = compression.kind(data)
    if kind in KINDS:
        return lambda: iter([(f"its {kind} payload", streams.content(data))])
    if kind:
        raise VdsoError(name, f"compressed with {kind}, which is none of {', '.join(KINDS)}", UNPACK)
    return None


def _zboot(name: str, data: bytes, streams: _Streams) -> Iterator[tuple[str, bytes]]:
    if len(data) < 64:
        raise VdsoError(name, f"truncated: its EFI zboot header ends at 0x40 and the data at {len(data):#x}", AGAIN)
    offset, size = struct.unpack_from("<II", data, 8)
    if offset + size > len(data):
        end = offset + size
        raise VdsoError(name, f"truncated: its EFI zboot payload ends at {end:#x} and the data at {len(data):#x}", AGAIN)
    payload = data[offset : offset + size]
    kind = data[24:56].partition(b"\0")[0].decode("ascii", "replace")
    if compression.kind(payload) not in KINDS:
        raise VdsoError(name, f"EFI zboot payload compressed with {kind!r}, which is none of {', '.join(KINDS)}", UNPACK)
    yield f"its EFI zboot payload ({kind})", streams.content(payload)


class _Stream(io.RawIOBase):
    """Chunks as a file that is read forward. Seeking reads; what a tar says of its members is limited by what is there."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._rest, self._at = chunks, b"", 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if whence or offset < self._at:
            raise tarfile.ReadError(f"a member at {self._at:#x} of less than no bytes")
        while self._at < offset:
            if not self.read(min(offset - self._at, PIECE)):
                raise tarfile.ReadError(f"a member that ends at {offset:#x}, and the data at {self._at:#x}")
        return self._at

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MOST_AT_ONCE:
            raise tarfile.ReadError(f"a header's extension of {size:#x} bytes (at most {MOST_AT_ONCE:#x})")
        out, have = [self._rest], len(self._rest)
        while have < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            out.append(chunk)
            have += len(chunk)
        whole = b"".join(out)
        self._rest = whole[size:]
        self._at += len(whole) - len(self._rest)
        return whole[:size]


def _deb(name: str, data: bytes, streams: _Streams) -> Iterator[tuple[str, bytes]]:
    for tar in _data_tars(name, data):
        plain = tar[257:262] == b"ustar"
        chunks = iter([tar]) if plain else streams.chunks(tar, STREAM_LIMIT)
        try:
            with tarfile.open(fileobj=_Stream(chunks), mode="r:") as members:
                for member in members:
                    if not member.isreg() or not KERNEL.fullmatch(member.name.removeprefix("./")):
                        continue
                    if member.size > LIMIT:
                        raise VdsoError(name, f"{member.name} in it has {member.size:#x} bytes (at most {LIMIT:#x})", UNPACK)
                    content = members.extractfile(member)
                    if content is not None:
                        yield member.name.removeprefix("./"), b"".join(iter(partial(content.read, PIECE), b""))
        except (tarfile.TarError, ValueError, IndexError) as error:  # of its numbers, and of headers that are cut off
            raise VdsoError(name, f"its data.tar is damaged: {error}", AGAIN) from None


class _Forward(io.BytesIO):
    """ArFile skips a member by its size, where a negative one would send it round in circles, and keeps them all."""

    headers = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.headers += size == 60
        if self.headers > MOST_MEMBERS:
            raise ArError(f"more than {MOST_MEMBERS} members")
        return super().read(size)

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
        if compression.kind(tar) not in KINDS and tar[257:262] != b"ustar":
            raise VdsoError(name, f"{member.name} is none of {', '.join(KINDS)}", UNPACK)
    return tars
