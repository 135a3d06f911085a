# SPDX-License-Identifier: MIT
"""QEMU's `virt` without firmware."""

from __future__ import annotations

from ..fw_cfg import guest
from ..machine import Machine, image_sources

AARCH64 = Machine(
    arch="aarch64",
    elf=183,
    qemu=("qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a57", "-m", "256M", "-nic", "none", "-nographic"),
    guest=guest,
    page_size=4096,
    hz=62_500_000,
    compile=("aarch64-linux-gnu-gcc", "-O2", "-static", "-pthread"),
    reader=image_sources(),
)
