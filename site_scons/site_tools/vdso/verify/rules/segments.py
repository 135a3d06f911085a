# SPDX-License-Identifier: MIT
"""Rules on the program headers: one R-X load at 0, PT_DYNAMIC in it, and nothing that a vDSO can't have."""

from __future__ import annotations

from collections.abc import Iterator

from ...elf.elf64 import PF_R, PF_W, PF_X
from ..model import Segment, Subject
from ..rule import BINUTILS, EVERY, GLIBC, GO, KERNEL, LLVM_LIBC, MUSL, RUSTIX, SELFTESTS, UNWINDERS, rule

# PT_GNU_RELRO, PT_INTERP and the like have rules of their own.
KNOWN = (
    "PT_NULL", "PT_LOAD", "PT_DYNAMIC", "PT_NOTE", "PT_GNU_EH_FRAME", "PT_INTERP", "PT_TLS", "PT_GNU_RELRO", "PT_GNU_STACK"
)  # fmt: skip


def _flags(flags: int) -> str:
    return "".join(letter if flags & bit else "-" for letter, bit in (("R", PF_R), ("W", PF_W), ("X", PF_X)))


@rule(
    "one-load",
    (KERNEL, "maps one region"),
    (GLIBC, "takes the base from the first load and the end from the last"),
    (MUSL, "takes the base from the last load"),
)
def one_load(s: Subject) -> Iterator[str]:
    """There is exactly one PT_LOAD.

    glibc elf/setup-vdso.h: l_addr from the first, l_map_end from the greatest; musl vdso.c: base from the last.
    """
    if s.segments and len(s.loads) != 1:
        yield f"{len(s.loads)} PT_LOAD, must be one"


@rule(
    "load-at-zero",
    (GLIBC, "finds every address shifted"),
    (MUSL, "finds every address shifted"),
    (GO, "finds every address shifted"),
    (RUSTIX, "finds every address shifted"),
    (SELFTESTS, "find every address shifted"),
    (LLVM_LIBC, "finds every address shifted"),
)
def load_at_zero(s: Subject) -> Iterator[str]:
    """The load has p_offset = p_vaddr = 0. All compute base + p_offset - p_vaddr; bionic adds the bare st_value."""
    for load in s.loads[:1]:
        if load.offset or load.vaddr:
            yield f"PT_LOAD at offset 0x{load.offset:x}, address 0x{load.vaddr:x}, must be 0x0 both"


@rule("load-flags", (RUSTIX, "refuses the image"), (KERNEL, "is told to map what can't be read or run"))
def load_flags(s: Subject) -> Iterator[str]:
    """The first load is readable and executable. rustix src/backend/linux_raw/vdso.rs, init_from_sysinfo_ehdr."""
    for load in s.loads[:1]:
        if load.flags & (PF_R | PF_X) != PF_R | PF_X:
            yield f"PT_LOAD is {_flags(load.flags)}, must be R-X"


@rule("no-write", (KERNEL, "is told to let programs write the code of others"))
def no_write(s: Subject) -> Iterator[str]:
    """No load is writable: all processes share one image. docs/how-it-works.md#splice: its load is R-X."""
    for load in s.loads:
        if load.flags & PF_W:
            yield f"PT_LOAD at 0x{load.vaddr:x} is {_flags(load.flags)}, must be R-X"


@rule("load-size", (GLIBC, "takes the wrong end of the mapping"), (KERNEL, "maps bytes that the file hasn't"))
def load_size(s: Subject) -> Iterator[str]:
    """p_filesz = p_memsz, not more than the file: nobody clears a .bss.

    glibc elf/setup-vdso.h takes p_memsz for the end.
    """
    for load in s.loads[:1]:
        if load.filesz != load.memsz:
            yield f"PT_LOAD has 0x{load.filesz:x} bytes in the file and 0x{load.memsz:x} in memory"
        elif load.offset + load.filesz > len(s.image):
            yield f"PT_LOAD ends at 0x{load.offset + load.filesz:x}, the file at 0x{len(s.image):x}"


@rule(
    "dynamic-segment",
    (GLIBC, "finds nothing"),
    (MUSL, "finds nothing"),
    (GO, "finds nothing"),
    (RUSTIX, "finds nothing"),
    (SELFTESTS, "find nothing"),
    (LLVM_LIBC, "finds nothing"),
)
def dynamic_segment(s: Subject) -> Iterator[str]:
    """There is one PT_DYNAMIC. glibc elf/setup-vdso.h; musl vdso.c; Go runtime/vdso_linux.go; kernel parse_vdso.c."""
    count = len(s.of_type("PT_DYNAMIC"))
    if s.segments and count != 1:
        yield f"{count} PT_DYNAMIC, must be one"


@rule("dynamic-flags", (KERNEL, "is told to map what the one load doesn't allow"))
def dynamic_flags(s: Subject) -> Iterator[str]:
    """PT_DYNAMIC is R: nobody relocates a vDSO.

    Linux arch/riscv/kernel/vdso/vdso.lds.S: `dynamic PT_DYNAMIC FLAGS(4)`.
    """
    for segment in s.of_type("PT_DYNAMIC"):
        if segment.flags != PF_R:
            yield f"PT_DYNAMIC is {_flags(segment.flags)}, must be R--"


@rule(
    "dynamic-offset",
    (MUSL, "reads PT_DYNAMIC elsewhere"),
    (GO, "reads PT_DYNAMIC elsewhere"),
    (RUSTIX, "reads PT_DYNAMIC elsewhere"),
    (SELFTESTS, "read PT_DYNAMIC elsewhere"),
    (LLVM_LIBC, "reads PT_DYNAMIC elsewhere"),
)
def dynamic_offset(s: Subject) -> Iterator[str]:
    """PT_DYNAMIC has p_offset = p_vaddr. These four go through p_offset (musl vdso.c), glibc through p_vaddr."""
    for segment in s.of_type("PT_DYNAMIC")[:1]:
        if segment.offset != segment.vaddr:
            yield f"PT_DYNAMIC at offset 0x{segment.offset:x} and at address 0x{segment.vaddr:x}"


@rule("load-first", (LLVM_LIBC, "takes -1 for the address of the image"))
def load_first(s: Subject) -> Iterator[str]:
    """PT_LOAD comes before PT_DYNAMIC.

    LLVM libc/src/__support/OSUtil/linux/vdso.cpp, PhdrInfo::from: it looks no further once it has PT_DYNAMIC.
    """
    order = [segment.type for segment in s.segments]
    if "PT_LOAD" in order and "PT_DYNAMIC" in order and order.index("PT_DYNAMIC") < order.index("PT_LOAD"):
        yield f"PT_DYNAMIC is program header 0x{order.index('PT_DYNAMIC'):x}, PT_LOAD 0x{order.index('PT_LOAD'):x}"


@rule("known-segments", (BINUTILS, "show what is not there"))
def known_segments(s: Subject) -> Iterator[str]:
    """An image of ours has no program header but those that readers of a vDSO look at.

    docs/how-it-works.md#splice: others of the base would name bytes that are something else now.
    """
    for segment in s.segments:
        if s.ours and segment.type not in KNOWN:
            kind = segment.type if isinstance(segment.type, str) else f"0x{segment.type:x}"
            yield f"program header {kind} at 0x{segment.vaddr:x}, offset 0x{segment.offset:x}"


@rule("dynamic-size", (GLIBC, "reads p_memsz bytes of it"), (RUSTIX, "reads p_memsz bytes of it"))
def dynamic_size(s: Subject) -> Iterator[str]:
    """p_filesz = p_memsz of PT_DYNAMIC, and not 0. Behind DT_NULL, where dt-null is kept, it may cover anything.

    glibc elf/setup-vdso.h: l_ldnum = p_memsz / sizeof, which rounds down; rustix too.
    """
    for segment in s.of_type("PT_DYNAMIC")[:1]:
        if segment.filesz != segment.memsz or not segment.memsz:
            yield (
                f"PT_DYNAMIC has 0x{segment.filesz:x} bytes in the file and 0x{segment.memsz:x} in memory, must be equal "
                "and not 0x0"
            )


@rule(
    "segments-inside",
    (GLIBC, "reads beyond the image"),
    (MUSL, "reads beyond the image"),
    (UNWINDERS, "read beyond the image"),
)
def segments_inside(s: Subject) -> Iterator[str]:
    """PT_DYNAMIC, PT_NOTE and PT_GNU_EH_FRAME lie inside the load, the latter two with p_offset = p_vaddr.

    gABI, "Program Loading": what lies elsewhere is not in memory. libgcc unwind-dw2-fde-dip.c goes through p_vaddr.
    """
    for segment in s.segments:
        if segment.type in ("PT_DYNAMIC", "PT_NOTE", "PT_GNU_EH_FRAME"):
            yield from _placed(s, segment)


def _placed(s: Subject, segment: Segment) -> Iterator[str]:
    if not s.inside(segment.vaddr, segment.memsz):
        end = segment.vaddr + segment.memsz
        yield f"{segment.type} from 0x{segment.vaddr:x} to 0x{end:x}, the load ends at 0x{s.size:x}"
    elif segment.type != "PT_DYNAMIC" and segment.offset != segment.vaddr:
        yield f"{segment.type} at offset 0x{segment.offset:x} and at address 0x{segment.vaddr:x}"


@rule("no-interp", (RUSTIX, "refuses the image"))
def no_interp(s: Subject) -> Iterator[str]:
    """No PT_INTERP. rustix vdso.rs, init_from_sysinfo_ehdr: such an image is a program, not a vDSO."""
    for segment in s.of_type("PT_INTERP"):
        yield f"PT_INTERP at 0x{segment.vaddr:x}"


@rule("no-relro", (RUSTIX, "refuses the image"))
def no_relro(s: Subject) -> Iterator[str]:
    """No PT_GNU_RELRO. rustix vdso.rs, init_from_sysinfo_ehdr."""
    for segment in s.of_type("PT_GNU_RELRO"):
        yield f"PT_GNU_RELRO at 0x{segment.vaddr:x}"


@rule("no-tls", (GLIBC, "fails an assertion at start"))
def no_tls(s: Subject) -> Iterator[str]:
    """No PT_TLS. glibc elf/setup-vdso.h: assert (ph->p_type != PT_TLS)."""
    for segment in s.of_type("PT_TLS"):
        yield f"PT_TLS at 0x{segment.vaddr:x}"


@rule("stack-not-executable", (EVERY, "may get an executable stack"))
def stack_not_executable(s: Subject) -> Iterator[str]:
    """PT_GNU_STACK, where there is one, is not executable. glibc elf/dl-load.c obeys it for libraries."""
    for segment in s.of_type("PT_GNU_STACK"):
        if segment.flags & PF_X:
            yield f"PT_GNU_STACK is {_flags(segment.flags)}"
