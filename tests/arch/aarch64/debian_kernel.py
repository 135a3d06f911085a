# SPDX-License-Identifier: MIT
"""Debian's newest kernel for aarch64, and the vDSO in it."""

from __future__ import annotations

from functools import cache

from debian_packages import KERNEL, Packages
from vdso.arch.aarch64.facts import AARCH64
from vdso.extract.containers import payloads
from vdso.extract.find import find

PACKAGES = Packages(AARCH64.debian, (KERNEL,))


def package() -> bytes:
    return PACKAGES.deb(KERNEL).read_bytes()


@cache
def kernel_image() -> bytes:
    """Return the raw Image that boots."""
    label, image = max(payloads(KERNEL, package()), key=lambda payload: len(payload[1]))
    assert image[0x38:0x3C] == b"ARMd", f"{label} is no Image of arm64"  # Linux: Documentation/arch/arm64/booting.rst
    return image


@cache
def base() -> bytes:
    """Return its vDSO for programs with 64 bits."""
    return find(KERNEL, kernel_image(), AARCH64)
