# SPDX-License-Identifier: MIT
"""Takes the payloads, in which a vDSO can lie, out of a file:

raw         the file itself: a vDSO, a dump, vmlinux, a kernel Image
compressed  as kernels are: Image.gz, Image.xz (compression.py)
bzImage     "HdrS", offset and size of the compressed payload (Linux: boot.rst of Documentation/arch)
EFI zboot   "MZ", "zimg", offset and size of the compressed payload (Linux: libstub/zboot-header.S)
ELF core    the vDSO of the process whose core it is, and nothing else of its memory (core.py)
.deb        the kernel images and vDSO files of its data.tar (deb.py)
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from ..errors import VdsoError
from . import compression, core
from .compression import AGAIN, KINDS, UNPACK, Streams
from .core import read_core
from .deb import AR, deb_payloads

_SETUP_SECTORS, _BOOT_FLAG, _HEADER, _VERSION, _PAYLOAD = 0x1F1, 0x1FE, 0x202, 0x206, 0x248
"""Offsets in a bzImage, as Linux's boot protocol has them: of setup_sects to payload_offset, which payload_length follows."""
DEPTH = 4  # a .deb of an EFI zboot of a gzip is three deep


def payloads(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield (label, bytes) of each payload in `data`; the label says where in the file it lies, "" is the file itself.

    VdsoError(name) where it is truncated, damaged, too large, or compressed in a way that can't be read here.
    """
    return _payloads(name, data, "", DEPTH, Streams(name))


def _payloads(name: str, data: bytes, label: str, depth: int, streams: Streams) -> Iterator[tuple[str, bytes]]:
    unpack = _container(name, data, streams)
    if unpack is None:
        yield label, data
        return
    if not depth:
        raise VdsoError(name, f"compressed more than {DEPTH} times over ({label})", UNPACK)
    for inner, payload in unpack():
        yield from _payloads(name, payload, f"{inner} of {label}" if label else inner, depth - 1, streams)


def _container(name: str, data: bytes, streams: Streams) -> Callable[[], Iterator[tuple[str, bytes]]] | None:
    """Return a function that yields the payloads in `data`; None when `data` is a payload itself."""
    if data.startswith(AR):
        return lambda: deb_payloads(name, data, streams)
    if data[:2] == b"MZ" and data[4:8] == b"zimg":
        return lambda: _zboot(name, data, streams)
    if _is_bzimage(data):
        return lambda: _bzimage(name, data, streams)
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


def _zboot(name: str, data: bytes, streams: Streams) -> Iterator[tuple[str, bytes]]:
    if len(data) < 64:
        raise VdsoError(name, f"truncated: its EFI zboot header ends at 0x40 and the data at {len(data):#x}", AGAIN)
    offset, size = struct.unpack_from("<II", data, 8)
    payload = _payload(name, data, "EFI zboot", offset, size)
    kind = data[24:56].partition(b"\0")[0].decode("ascii", "replace")
    if compression.kind(payload) not in KINDS:
        raise VdsoError(name, f"EFI zboot payload compressed with {kind!r}, which is none of {', '.join(KINDS)}", UNPACK)
    yield f"its EFI zboot payload ({kind})", streams.content(payload)


def _is_bzimage(data: bytes) -> bool:
    """Tell whether `data` begins with the header of a bzImage that says where its payload is: that of Linux 2.6.24 or later."""
    if data[_BOOT_FLAG : _BOOT_FLAG + 2] != b"\x55\xaa" or data[_HEADER : _HEADER + 4] != b"HdrS":
        return False
    return int.from_bytes(data[_VERSION : _VERSION + 2], "little") >= 0x208


def _bzimage(name: str, data: bytes, streams: Streams) -> Iterator[tuple[str, bytes]]:
    if len(data) < _PAYLOAD + 8:
        raise VdsoError(name, f"truncated: its bzImage header ends at {_PAYLOAD + 8:#x} and the data at {len(data):#x}", AGAIN)
    offset, size = struct.unpack_from("<II", data, _PAYLOAD)
    sectors = data[_SETUP_SECTORS] or 4
    payload = _payload(name, data, "bzImage", (sectors + 1) * 512 + offset, size)
    kind = compression.kind(payload)
    if kind and kind not in KINDS:
        raise VdsoError(name, f"bzImage payload compressed with {kind}, which is none of {', '.join(KINDS)}", UNPACK)
    yield f"its bzImage payload{f' ({kind})' * bool(kind)}", streams.content(payload) if kind else payload


def _payload(name: str, data: bytes, image: str, start: int, size: int) -> bytes:
    if start + size > len(data):
        end = start + size
        raise VdsoError(name, f"truncated: its {image} payload ends at {end:#x} and the data at {len(data):#x}", AGAIN)
    return data[start : start + size]
