# SPDX-License-Identifier: MIT
"""Reads a .deb (deb(5)): the kernel images and vDSO files of its data.tar, as streams that are never unpacked to a path.

python-debian reads the ar archive and tarfile the tar; both believe the sizes that a file states. So each reads through a
file object of ours, which bounds what they ask for.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterator
from functools import partial

from debian.arfile import ArError, ArFile

from ..errors import VdsoError
from . import compression
from .compression import AGAIN, KINDS, LIMIT, UNPACK, Streams

STREAM_LIMIT = 8 << 30  # bytes of a whole data.tar, of which only the payloads are kept
MOST_MEMBERS = 64  # of an ar archive: a .deb has three
PIECE = 1 << 16  # bytes of a file of a tar that are read at once
MOST_AT_ONCE = 1 << 20  # tarfile reads the extension of a header in one go; Linux's longest path has 4 KiB

AR = b"!<arch>\n"
KERNEL = re.compile(r"(.*/)?(vmlinu[xz]|Image)[^/]*|(.*/)?vdso[^/]*\.so")


def deb_payloads(name: str, data: bytes, streams: Streams) -> Iterator[tuple[str, bytes]]:
    """Yield (label, bytes) of each kernel image and vDSO file in a .deb. VdsoError(name) where it is damaged or too large."""
    for tar in _data_tars(name, data):
        plain = tar[257:262] == b"ustar"
        chunks = iter([tar]) if plain else streams.chunks(tar, STREAM_LIMIT)
        try:
            with tarfile.open(fileobj=_TarFile(chunks), mode="r:") as members:
                for member in members:
                    if not member.isreg() or not KERNEL.fullmatch(member.name.removeprefix("./")):
                        continue
                    if member.size > LIMIT:
                        raise VdsoError(name, f"{member.name} in it has {member.size:#x} bytes (at most {LIMIT:#x})", UNPACK)
                    content = members.extractfile(member)
                    if content is not None:
                        yield member.name.removeprefix("./"), b"".join(iter(partial(content.read, PIECE), b""))
        except (tarfile.TarError, ValueError, IndexError) as error:  # the latter two come from bad numbers and cut headers
            raise VdsoError(name, f"its data.tar is damaged: {error}", AGAIN) from None


def _data_tars(name: str, data: bytes) -> list[bytes]:
    """Return the data.tar of a .deb, still compressed; more than one where the archive has more."""
    try:
        archive = ArFile(fileobj=_ArchiveFile(data))
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


class _TarFile(io.RawIOBase):
    """Chunks as a file that tarfile can only read forward. A seek reads, so a size that a tar states is bounded by bytes."""

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


class _ArchiveFile(io.BytesIO):
    """Guards ArFile: a negative member size would loop for ever, and ArFile keeps every member in memory."""

    headers = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.headers += size == len(data) == 60
        if self.headers > MOST_MEMBERS:
            raise ArError(f"more than {MOST_MEMBERS} members")
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if whence == 1 and offset < 0:
            raise ArError(f"a member of {offset} bytes")
        return super().seek(offset, whence)
