# SPDX-License-Identifier: MIT
"""Debian's newest kernel for aarch64, in each form that a boot loader takes: the vDSO of programs with 64 bits is found."""

from __future__ import annotations

import struct

import pytest
from container_builder import COMPRESS, zboot
from debian_packages import KERNEL, PACKAGES, kernel_image, kernel_vdso
from vdso.arch.aarch64.facts import AARCH64
from vdso.errors import VdsoError
from vdso.extract.find import find

ELF64, ELF32 = b"\x7fELF\x02\x01", b"\x7fELF\x01\x01"
ARM = 40  # EM_ARM


def test_it_is_the_one_of_64_bits() -> None:
    base = kernel_vdso(AARCH64)
    assert base[:6] == ELF64
    assert struct.unpack_from("<H", base, 18) == (AARCH64.machine,)
    assert AARCH64.export("clock_gettime").encode() in base


@pytest.mark.parametrize("form", ["package", "gzip", "EFI zboot, gzip", "EFI zboot, lz4"])
def test_each_form_has_the_same(form: str) -> None:
    image = kernel_image(AARCH64)
    data = {
        "package": PACKAGES[AARCH64.name].deb(KERNEL).read_bytes,
        "gzip": lambda: COMPRESS["gzip"](image),
        "EFI zboot, gzip": lambda: zboot(COMPRESS["gzip"](image), "gzip"),
        "EFI zboot, lz4": lambda: zboot(COMPRESS["lz4"](image) + struct.pack("<I", len(image)), "lz4"),
    }[form]()
    assert find(form, data, AARCH64) == kernel_vdso(AARCH64)


def test_the_one_for_32_bits_is_named_and_passed_over() -> None:
    """A kernel that had no other one: what was found is said."""
    image = kernel_image(AARCH64)
    compat = [at for at in places(image, ELF32) if struct.unpack_from("<H", image, at + 18) == (ARM,)]
    assert compat, "Debian's kernel has one"
    others = image.replace(kernel_vdso(AARCH64)[:64], bytes(64))
    with pytest.raises(VdsoError, match=r"32-bit"):
        find(KERNEL, others, AARCH64)


def places(data: bytes, word: bytes) -> list[int]:
    """Return where the word stands."""
    found, at = [], data.find(word)
    while at >= 0:
        found.append(at)
        at = data.find(word, at + 1)
    return found
