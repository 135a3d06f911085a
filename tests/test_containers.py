# SPDX-License-Identifier: MIT
"""containers.py and find.py together: a vDSO is found through every wrapping, and damage to one is a line, not a crash."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile

import pytest
import zstandard
from elf_builder import Spec, build
from vdso import containers
from vdso.arch import RISCV64
from vdso.compression import decompress
from vdso.containers import payloads
from vdso.errors import VdsoError
from vdso.find import find

PLAIN = build(Spec())
CFI = build(Spec(auxiliary="cf-protection=full"))
KERNEL = b"MZ" + bytes(range(256)) * 64 + CFI.ljust(0x1000, b"\0") + PLAIN + bytes(0x3000)

COMPRESS = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor(level=22, write_checksum=True).compress,
}


def error(data: bytes) -> str:
    with pytest.raises(VdsoError) as caught:
        find("input", data, RISCV64)
    text = str(caught.value)
    assert text.startswith("input: ")
    assert "\n" not in text
    assert caught.value.todo
    return text


def zboot(payload: bytes, kind: str, extra: int = 0) -> bytes:
    """An EFI zboot image: header, a PE stub's worth of zeros, payload. `extra` bytes are claimed and not there."""
    head = struct.pack("<2sxx4sII8x", b"MZ", b"zimg", 0x400, len(payload) + extra) + kind.encode()
    return head.ljust(0x400, b"\0") + payload


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


SUFFIX = {"gzip": "gz", "xz": "xz", "zstd": "zst"}


@pytest.mark.parametrize("kind", COMPRESS)
def test_compressed_without_vdso(kind: str) -> None:
    assert f"no vDSO in its {kind} payload (0x" in error(COMPRESS[kind](bytes(0x1000)))


@pytest.mark.parametrize("kind", COMPRESS)
def test_compressed(kind: str) -> None:
    packed = COMPRESS[kind](KERNEL)
    assert find("input", packed, RISCV64) == PLAIN
    assert find("input", packed + b"\0\0\0\0", RISCV64) == PLAIN
    assert find("input", COMPRESS["gzip"](packed), RISCV64) == PLAIN
    assert [label for label, _ in payloads("input", packed)] == [f"its {kind} payload"]


@pytest.mark.parametrize(("kind", "name"), [("gzip", "gzip"), ("zstd", "zstd22"), ("xz", "xzkern")])
def test_zboot(kind: str, name: str) -> None:
    image = zboot(COMPRESS[kind](KERNEL), name)
    assert find("input", image + bytes(0x200), RISCV64) == PLAIN
    assert [label for label, _ in payloads("input", image)] == [f"its EFI zboot payload ({name})"]


@pytest.mark.parametrize("kind", [*COMPRESS, "tar"])
def test_deb(kind: str) -> None:
    files = {
        "./usr/share/doc/linux/vmlinux.txt/x": build(Spec(linux=1)),
        "./usr/lib/modules/7/kernel/some.ko": build(Spec(linux=2)),
        "./boot/vmlinuz-7": zboot(COMPRESS["gzip"](KERNEL), "gzip"),
        "./usr/lib/modules/7/vdso/vdso.so": build(Spec(symtab=True)),
        "./usr/lib/modules/7/vdso/vdso-cfi.so": CFI,
    }
    package = deb(kind, **files)
    assert [label for label, _ in payloads("input", package)] == [
        "its EFI zboot payload (gzip) of boot/vmlinuz-7",
        "usr/lib/modules/7/vdso/vdso.so",
        "usr/lib/modules/7/vdso/vdso-cfi.so",
    ]
    assert find("input", package, RISCV64) == PLAIN


def test_deb_with_only_others_says_where() -> None:
    text = error(deb(**{"usr/lib/modules/7/vmlinuz": bytes(0x800) + CFI}))
    assert "found user-CFI vDSO (DT_AUXILIARY cf-protection=full) at 0x800 of usr/lib/modules/7/vmlinuz" in text


def test_deb_without_kernel() -> None:
    assert "no kernel image and no vDSO file in it" in error(deb(**{"usr/bin/true": PLAIN}))
    assert "no vDSO in boot/vmlinux-7 (0x" in error(deb(**{"boot/vmlinux-7": b"MZ"}))


def test_deb_members_go_nowhere(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names in an archive are labels: they open no path, and links are not followed."""
    monkeypatch.chdir(str(tmp_path))
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        link = tarfile.TarInfo("boot/vmlinux-link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        info = tarfile.TarInfo("../../boot/vmlinux-7")
        info.size = len(KERNEL)
        archive.addfile(info, io.BytesIO(KERNEL))
    package = ar(**{"data.tar": out.getvalue()})
    assert [label for label, _ in payloads("input", package)] == ["../../boot/vmlinux-7"]
    assert find("input", package, RISCV64) == PLAIN


@pytest.mark.parametrize("kind", COMPRESS)
def test_truncated_stream(kind: str) -> None:
    packed = COMPRESS[kind](KERNEL)
    for size in range(len(packed) // 8, len(packed), len(packed) // 8):
        assert f"truncated: its {kind} stream goes on behind the data's end at {size:#x}" in error(packed[:size])
    for size in range(6, len(packed), 97):
        error(packed[:size])


@pytest.mark.parametrize("kind", COMPRESS)
def test_damaged_stream(kind: str) -> None:
    packed = bytearray(COMPRESS[kind](KERNEL))
    packed[len(packed) // 2] ^= 0xFF
    text = error(bytes(packed))
    assert f"its {kind} stream is damaged after 0x" in text or "truncated: its" in text


def test_truncated_zboot() -> None:
    image = zboot(COMPRESS["gzip"](KERNEL), "gzip")
    assert "truncated: its EFI zboot header ends at 0x40 and the data at 0x20" in error(image[:0x20])
    for size in range(0x40, len(image), 211):
        end = f"its EFI zboot payload ends at {len(image):#x} and the data at {size:#x}"
        assert end in error(image[:size])


def test_zboot_with_another_compression() -> None:
    text = error(zboot(b"\x02\x21\x4c\x18" + bytes(100), "lz4"))
    assert "EFI zboot payload compressed with 'lz4', which is none of gzip, xz, zstd; decompress it first" in text


def test_another_compression() -> None:
    assert "compressed with bzip2, which is none of gzip, xz, zstd; decompress it first" in error(bz2.compress(KERNEL))


@pytest.mark.parametrize("kind", [*COMPRESS, "tar"])
def test_truncated_deb(kind: str) -> None:
    package = deb(kind, **{"boot/vmlinux-7": KERNEL})
    for size in range(8, len(package) - 1, max(len(package) // 60, 1)):
        error(package[:size])
    assert "truncated: its data.tar" in error(package[:-64])


@pytest.mark.parametrize(
    ("package", "what"),
    [
        (b"!<arch>\n", "no .deb: an ar archive of 0x8 bytes without data.tar"),
        (ar(**{"debian-binary": b"2.0\n"}), "an ar archive of 0x48 bytes without data.tar"),
        (ar(**{"data.tar.xz": b"no xz"}), "data.tar.xz is none of gzip, xz, zstd"),
        (ar(**{"data.tar.gz": COMPRESS["gzip"](b"no tar" * 200)}), "its data.tar is damaged"),
        (ar(**{"data.tar": b""}).replace(b"0         `", b"-60       `"), "ar archive is damaged or truncated at 0x44"),
        (ar(**{"data.tar": b""}).replace(b"0         `", b"many      `"), "ar archive is damaged or truncated at 0x44"),
    ],
)
def test_no_deb(package: bytes, what: str) -> None:
    assert what in error(package)


@pytest.mark.parametrize("kind", COMPRESS)
def test_bomb(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = COMPRESS[kind](bytes(0x800000))
    assert len(packed) < 0x10000
    assert decompress("input", packed, 0x800000) == bytes(0x800000)
    with pytest.raises(VdsoError, match=f"input: its {kind} stream is larger than 0x7fffff bytes; decompress it first"):
        decompress("input", packed, 0x7FFFFF)
    monkeypatch.setattr(containers, "LIMIT", 0x10000)
    monkeypatch.setattr(containers, "STREAM_LIMIT", 0x10000)
    big = deb(kind, **{"boot/vmlinux-7": bytes(0x20000)})
    assert "boot/vmlinux-7 in it has 0x20000 bytes (at most 0x10000)" in error(big) or "is larger than" in error(big)


def test_nested_without_end() -> None:
    packed = PLAIN
    for _ in range(containers.DEPTH):
        packed = gzip.compress(packed, mtime=0)
    assert find("input", packed, RISCV64) == PLAIN
    assert f"compressed more than {containers.DEPTH} times over" in error(gzip.compress(packed, mtime=0))
