# SPDX-License-Identifier: MIT
"""containers.py and find.py together: a vDSO is found through every wrapping, and damage to one is a line, not a crash."""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import tarfile
import tracemalloc
import zlib

import lz4.block
import pytest
from container_builder import COMPRESS, LZ4_BLOCK, UNCHECKED, ar, bzimage, deb, lz4_legacy, named, tar, zboot
from elf_builder import Spec, build
from vdso.arch.riscv64.facts import RISCV64
from vdso.errors import VdsoError
from vdso.extract import compression
from vdso.extract import deb as deb_reader
from vdso.extract.compression import decompress
from vdso.extract.containers import payloads
from vdso.extract.find import find

PLAIN = build(Spec())
CFI = build(Spec(auxiliary="cf-protection=full"))
KERNEL = b"MZ" + bytes(range(256)) * 64 + CFI.ljust(0x1000, b"\0") + PLAIN + bytes(0x3000)

# Linux, drivers/firmware/efi/libstub/Makefile.zboot: comp-type.
ZBOOT = {"gzip": "gzip", "zstd": "zstd22", "xz": "xzkern", "lzma": "lzma", "lz4": "lz4"}


def error(data: bytes) -> str:
    with pytest.raises(VdsoError) as caught:
        find("input", data, RISCV64)
    text = str(caught.value)
    assert text.startswith("input: ")
    assert "\n" not in text
    assert caught.value.todo
    return text


@pytest.mark.parametrize("kind", COMPRESS)
def test_compressed_without_vdso(kind: str) -> None:
    assert f"no vDSO in its {named(kind)} payload (0x" in error(COMPRESS[kind](bytes(0x1000)))


@pytest.mark.parametrize("kind", COMPRESS)
def test_compressed(kind: str) -> None:
    packed = COMPRESS[kind](KERNEL)
    assert find("input", packed, RISCV64) == PLAIN
    assert find("input", packed + b"\0\0\0\0", RISCV64) == PLAIN
    assert find("input", COMPRESS["gzip"](packed), RISCV64) == PLAIN
    assert [label for label, _ in payloads("input", packed)] == [f"its {named(kind)} payload"]


@pytest.mark.parametrize(("kind", "name"), ZBOOT.items())
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
        assert f"truncated: its {named(kind)} stream goes on behind the data's end at {size:#x}" in error(packed[:size])
    for size in range(6, len(packed), 97):
        error(packed[:size])


@pytest.mark.parametrize("kind", [kind for kind in COMPRESS if kind not in UNCHECKED])
def test_damaged_stream(kind: str) -> None:
    packed = bytearray(COMPRESS[kind](KERNEL))
    packed[len(packed) // 2] ^= 0xFF
    text = error(bytes(packed))
    assert f"its {named(kind)} stream is damaged after 0x" in text or "truncated: its" in text


@pytest.mark.parametrize("kind", UNCHECKED)
def test_damage_that_the_format_does_not_show(kind: str) -> None:
    """What comes out may be wrong; it is a vDSO by its own headers, or one line."""
    packed = COMPRESS[kind](KERNEL)
    for at in range(4, len(packed), 53):
        try:
            taken = find("input", packed[:at] + bytes([packed[at] ^ 0xFF]) + packed[at + 1 :], RISCV64)
        except VdsoError:
            continue
        assert taken.startswith(b"\x7fELF")


@pytest.mark.parametrize("size", [LZ4_BLOCK - 1, LZ4_BLOCK, LZ4_BLOCK + 1, 2 * LZ4_BLOCK])
@pytest.mark.parametrize("behind", [b"", b"\0\0\0", b"\0\0\0\0", struct.pack("<I", 0x1A00000), b"\x02\x21\x4c\x18"])
def test_lz4_blocks_end_without_a_mark(size: int, behind: bytes) -> None:
    content = bytes(size - 4) + b"odd."
    packed = lz4_legacy(content)
    assert decompress("input", packed + behind) == content
    # Linux's size_append; it can be taken for that of one more block.
    assert decompress("input", packed + struct.pack("<I", size)) == content


def test_lz4_last_block_ends_it() -> None:
    content = bytes(LZ4_BLOCK - 1)
    assert decompress("input", lz4_legacy(content) + struct.pack("<I", 0x1000) + bytes(16)) == content


def test_lz4_block_larger_than_it_can_be() -> None:
    packed = b"\x02\x21\x4c\x18" + struct.pack("<I", 40000) + lz4.block.compress(bytes(LZ4_BLOCK + 1), store_size=False)
    assert "its lz4 stream is damaged after 0x0 bytes" in error(packed.ljust(40008, b"\0"))


def test_truncated_zboot() -> None:
    image = zboot(COMPRESS["gzip"](KERNEL), "gzip")
    assert "truncated: its EFI zboot header ends at 0x40 and the data at 0x20" in error(image[:0x20])
    for size in range(0x40, len(image), 211):
        end = f"its EFI zboot payload ends at {len(image):#x} and the data at {size:#x}"
        assert end in error(image[:size])


KINDS = "gzip, xz, lzma, bzip2, zstd, lz4"
LZO = b"\x89LZO\0\r\n\x1a\n" + bytes(100)


@pytest.mark.parametrize("kind", COMPRESS)
@pytest.mark.parametrize("sectors", [0, 1, 0x1B, 0x7F])
def test_bzimage(kind: str, sectors: int) -> None:
    """Linux writes the size of the content behind all streams but gzip's; it is part of the payload."""
    image = bzimage(COMPRESS[kind](KERNEL) + struct.pack("<I", len(KERNEL)), sectors)
    assert find("input", image + bytes(0x200), RISCV64) == PLAIN
    assert [label for label, _ in payloads("input", image)] == [f"its bzImage payload ({named(kind)})"]


def test_bzimage_that_is_not_compressed() -> None:
    assert [label for label, _ in payloads("input", bzimage(KERNEL))] == ["its bzImage payload"]
    assert find("input", bzimage(KERNEL), RISCV64) == PLAIN
    assert "no vDSO in its bzImage payload (0x" in error(bzimage(bytes(0x1000)))


@pytest.mark.parametrize("change", [{"protocol": 0x207}, {"protocol": 0}])
def test_a_bzimage_that_says_nothing_of_its_payload_is_no_container(change: dict[str, int]) -> None:
    assert [label for label, _ in payloads("input", bzimage(COMPRESS["gzip"](KERNEL), **change))] == [""]


def test_truncated_bzimage() -> None:
    image = bzimage(COMPRESS["gzip"](KERNEL))
    for size in (0x208, 0x24F):
        assert f"truncated: its bzImage header ends at 0x250 and the data at {size:#x}" in error(image[:size])
    for size in range(0x250, len(image), 211):
        assert f"its bzImage payload ends at {len(image):#x} and the data at {size:#x}" in error(image[:size])
    assert f"its bzImage payload ends at {len(image) + 1:#x}" in error(bzimage(COMPRESS["gzip"](KERNEL), extra=1))


def test_bzimage_with_another_compression() -> None:
    what = f"bzImage payload compressed with lzo, which is none of {KINDS}; decompress it first"
    assert what in error(bzimage(LZO))


def test_zboot_with_another_compression() -> None:
    assert f"EFI zboot payload compressed with 'lzo', which is none of {KINDS}; decompress it first" in error(zboot(LZO, "lzo"))


def test_another_compression() -> None:
    assert f"compressed with lzo, which is none of {KINDS}; decompress it first" in error(LZO)


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
        (ar(**{"data.tar.xz": b"no xz"}), f"data.tar.xz is none of {KINDS}"),
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
    with pytest.raises(VdsoError, match=f"input: its {named(kind)} stream is larger than 0x7fffff bytes; decompress it first"):
        decompress("input", packed, 0x7FFFFF)
    assert deb_reader.STREAM_LIMIT == 8 * 1024**3
    monkeypatch.setattr(deb_reader, "LIMIT", 0x10000)
    monkeypatch.setattr(deb_reader, "STREAM_LIMIT", 0x10000)
    big = deb(kind, **{"boot/vmlinux-7": bytes(0x20000)})
    assert "boot/vmlinux-7 in it has 0x20000 bytes (at most 0x10000)" in error(big) or "is larger than" in error(big)


def test_all_streams_of_a_file_have_a_limit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = COMPRESS["gzip"](bytes(0x1000))
    monkeypatch.setattr(compression, "TOTAL", 0x3000)
    streams = compression.Streams("input")
    for _ in range(3):
        assert streams.content(packed) == bytes(0x1000)
    with pytest.raises(VdsoError, match=r"input: unpacks to more than 0x3000 bytes in all"):
        streams.content(packed)


def test_of_a_package_only_a_few_bytes_are_in_memory() -> None:
    """What is no kernel image is passed over piece by piece, however much it is."""
    packed = deb("gzip", **{"usr/lib/firmware": bytes(0x1000000), "boot/vmlinuz-7": PLAIN})
    tracemalloc.start()
    try:
        assert find("input", packed, RISCV64) == PLAIN
        assert tracemalloc.get_traced_memory()[1] < 0x800000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", COMPRESS)
def test_bomb_takes_little_memory(kind: str) -> None:
    packed = COMPRESS[kind](bytes(0x4000000))
    tracemalloc.start()
    try:
        with pytest.raises(VdsoError, match="is larger than 0x100000 bytes"):
            decompress("input", packed, 0x100000)
        assert tracemalloc.get_traced_memory()[1] < 0x2800000
    finally:
        tracemalloc.stop()


def xz_with_filter(number: int) -> bytes:
    """Return an xz stream with another BCJ filter."""
    filters = [{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2}]
    packed = bytearray(lzma.compress(KERNEL, filters=filters))
    size = (packed[12] + 1) * 4
    assert packed[14] == 4
    packed[14] = number
    packed[12 + size - 4 : 12 + size] = struct.pack("<I", zlib.crc32(packed[12 : 12 + size - 4]))
    return bytes(packed)


@pytest.mark.parametrize(
    ("packed", "what"),
    [
        # The dictionary of 1 GiB is claimed in the header.
        (
            b"\x5d" + struct.pack("<I", 1 << 30) + COMPRESS["lzma"](KERNEL)[5:],
            "its lzma stream asks for more memory than 0x10000000",
        ),
        (b"\x28\xb5\x2f\xfd\0" + bytes([20 << 3]) + b"\1\0\0", "its zstd stream asks for more memory than 0x10000000"),
        (xz_with_filter(0x3F), "its xz stream needs a filter that the xz library here has not"),
    ],
)
def test_what_a_decoder_refuses(packed: bytes, what: str) -> None:
    text = error(packed)
    assert what in text
    assert text.endswith("; decompress it first")


@pytest.mark.parametrize("extra", [0, 1])
def test_an_ar_archive_has_a_limit_of_members(extra: int) -> None:
    """ArFile keeps each in memory: a member of no bytes takes 60 of the file and a thousand of memory."""
    others = {f"m{i}": b"" for i in range(63 + extra)}
    package = ar(**others, **{"data.tar": tar(**{"boot/vmlinux-7": KERNEL})})
    if extra:
        assert "more than 64 members" in error(package)
    else:
        assert find("input", package, RISCV64) == PLAIN


def test_nested_without_end() -> None:
    packed = PLAIN
    for _ in range(4):
        packed = gzip.compress(packed, mtime=0)
    assert find("input", packed, RISCV64) == PLAIN
    assert "compressed more than 4 times over" in error(gzip.compress(packed, mtime=0))
