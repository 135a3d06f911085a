# SPDX-License-Identifier: MIT
"""Debian's kernel for x86_64 as a guest whose vDSO is another: what it knows of the inside of its own is cleared."""

from __future__ import annotations

import io
import struct
import subprocess
from functools import cache

from arch.x86_64.programs import X86
from elftools.elf.elffile import ELFFile
from kernels.linux_guest import Linux, with_vdso
from vdso.arch.x86_64.facts import X86_64
from vdso.elf.elf64 import PAGE
from vdso.ranges import align_up

RECORD = "vdso_image"
"""The struct of what Linux knows of a vDSO: arch/x86/include/asm/vdso.h."""
BYTES = {"data", "size"}
"""Fields of the record that say which bytes the vDSO is. Each other one says where in them something is."""
STRUCT = 4
"""BTF_KIND_STRUCT of Documentation/bpf/btf.rst."""


def put_vdso(kernel: bytes, base: bytes, image: bytes) -> bytes:
    """Put `image` into vmlinux in place of its own vDSO, `base`, and clear all that Linux knows of the inside of `base`.

    Else Linux would patch the image at boot as those bytes say that lie where `base` has its .altinstructions, and would take
    other places of it for functions of `base` whose faults or interruptions it mends.
    """
    elf = ELFFile(io.BytesIO(kernel))
    place = struct.pack("<QQ", address_in_memory(elf, kernel.index(base)), align_up(len(base), PAGE))
    assert kernel.count(place) == 1, "Linux must have one record of its vDSO"
    at = kernel.index(place)
    fields = record_fields(elf.get_section_by_name(".BTF").data())
    alternatives = ELFFile(io.BytesIO(base)).get_section_by_name(X86_64.alternatives.section)
    told = struct.unpack_from("<QQ", kernel, at + fields["alt"])
    assert told == (alternatives["sh_addr"], alternatives["sh_size"]), "the record is read with the wrong fields"
    patched = bytearray(with_vdso(kernel, base, image))
    for field in fields.keys() - BYTES:
        struct.pack_into("<Q", patched, at + fields[field], 0)
    return bytes(patched)


def address_in_memory(elf: ELFFile, offset: int) -> int:
    """Return the address of the byte at `offset` of the file."""
    loads = [segment.header for segment in elf.iter_segments("PT_LOAD")]
    (load,) = (load for load in loads if 0 <= offset - load.p_offset < load.p_filesz)
    return int(load.p_vaddr + offset - load.p_offset)


def record_fields(btf: bytes) -> dict[str, int]:
    """Return where each field of the record begins, as the kernel's own types say (Documentation/bpf/btf.rst)."""
    _, _, _, header, types_at, types_size, strings_at, strings_size = struct.unpack_from("<HBBIIIII", btf)
    words = memoryview(btf)[header + types_at :][:types_size].cast("I")
    strings = btf[header + strings_at :][:strings_size]
    name = strings.index(f"\0{RECORD}\0".encode()) + 1
    (at,) = (at for at, word in enumerate(words) if word == name and words[at + 1] >> 24 & 0x1F == STRUCT)
    members = words[at + 3 :][: 3 * (words[at + 1] & 0xFFFF)]
    names = (strings[start : strings.index(b"\0", start)].decode() for start in members[::3])
    fields = dict(zip(names, (bit // 8 for bit in members[2::3]), strict=True))
    assert words[at + 2] == 8 * len(fields), "each field must have 8 bytes"
    return fields


@cache
def tsc_hz() -> int:
    """Return the frequency of this machine's counter, which QEMU gives its guests."""
    command = [str(word) for word in (*X86.runner.plain(), X86.launcher(), "--hz")]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def tsc_words() -> tuple[str, ...]:
    """Return words by which Linux need not measure the TSC and takes it for a clock, however busy the host is."""
    return (f"tsc_early_khz={tsc_hz() // 1000}", "tsc=reliable")


LINUX = Linux(X86_64, measured=tsc_hz, words=tsc_words, other_counter=("clocksource=hpet",), put_vdso=put_vdso)
