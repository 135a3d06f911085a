# SPDX-License-Identifier: MIT
"""Rules on the entries of PT_DYNAMIC."""

from __future__ import annotations

from collections.abc import Iterator

from ...elf.elf64 import RELA, SYM
from ..model import Subject, signed
from ..rule import BINUTILS, EVERY, GDB, GLIBC, GO, LLVM_LIBC, MUSL, RUSTIX, SELFTESTS, STRESS_NG, rule

SONAME = "linux-vdso.so.1"
POINTERS = ("DT_STRTAB", "DT_SYMTAB", "DT_HASH", "DT_GNU_HASH", "DT_VERSYM", "DT_VERDEF")
RELOCATIONS = (
    "DT_RELA", "DT_RELASZ", "DT_RELACOUNT", "DT_REL", "DT_RELSZ", "DT_RELCOUNT", "DT_JMPREL", "DT_PLTRELSZ", "DT_RELR",
    "DT_RELRSZ",
)  # fmt: skip
DF_TEXTREL = 4


@rule(
    "dt-null",
    (RUSTIX, "refuses the image"),
    (MUSL, "reads on behind it"),
    (GO, "reads on behind it"),
    (GLIBC, "reads on behind it"),
    (SELFTESTS, "read on behind it"),
    (LLVM_LIBC, "reads on behind it"),
)
def dt_null(s: Subject) -> Iterator[str]:
    """DT_NULL is inside PT_DYNAMIC. rustix vdso.rs counts the entries; all others stop at DT_NULL alone."""
    if s.dynamic is not None and not s.terminated:
        yield f"no DT_NULL in the {len(s.dynamic)} entries of PT_DYNAMIC"


@rule(
    "symbol-table",
    (GLIBC, "finds nothing"),
    (MUSL, "finds nothing"),
    (GO, "finds nothing"),
    (RUSTIX, "finds nothing"),
    (SELFTESTS, "find nothing"),
    (LLVM_LIBC, "finds nothing"),
)
def symbol_table(s: Subject) -> Iterator[str]:
    """DT_STRTAB, DT_STRSZ and DT_SYMTAB are there. glibc elf/get-dynamic-info.h; gABI, "Dynamic Section": mandatory."""
    if s.dynamic is not None:
        for name in ("DT_STRTAB", "DT_STRSZ", "DT_SYMTAB"):
            if s.tag(name) is None:
                yield f"no {name}"


@rule("hash-first", (STRESS_NG, "finds nothing where it walks PT_DYNAMIC once"))
def hash_first(s: Subject) -> Iterator[str]:
    """In an image of ours DT_HASH and DT_STRTAB come before DT_SYMTAB, as GNU ld writes them.

    stress-ng stress-vdso.c looks at the symbols when DT_SYMTAB comes; later releases walk twice. lld writes them in another
    order, which is no finding on what others made.
    """
    order = [tag for tag, _value in s.dynamic or ()]
    if s.ours and {"DT_HASH", "DT_STRTAB", "DT_SYMTAB"} <= set(order):
        for tag in ("DT_HASH", "DT_STRTAB"):
            if order.index(tag) > order.index("DT_SYMTAB"):
                yield f"{tag} comes after DT_SYMTAB"


@rule("dt-syment", (RUSTIX, "refuses the image"), (BINUTILS, "warn"))
def dt_syment(s: Subject) -> Iterator[str]:
    """DT_SYMENT is 24. rustix vdso.rs, init_from_sysinfo_ehdr; gABI, "Dynamic Section": mandatory."""
    if s.dynamic is not None and s.tag("DT_SYMENT") != SYM.size:
        value = s.tag("DT_SYMENT")
        yield "no DT_SYMENT" if value is None else f"DT_SYMENT is 0x{value:x}, not 0x{SYM.size:x}"


@rule("dt-relaent", (GLIBC, "fails an assertion at start"))
def dt_relaent(s: Subject) -> Iterator[str]:
    """Where DT_RELA is, DT_RELAENT is 24.

    glibc elf/get-dynamic-info.h asserts it (a linker may write DT_RELA 0).
    """
    if s.tag("DT_RELA") is not None and s.tag("DT_RELAENT") != RELA.size:
        value = s.tag("DT_RELAENT")
        yield "DT_RELA without DT_RELAENT" if value is None else f"DT_RELAENT is 0x{value:x}, not 0x{RELA.size:x}"


@rule("no-relocations", (EVERY, "runs code that nobody relocates"))
def no_relocations(s: Subject) -> Iterator[str]:
    """Relocation tags have value 0 only. glibc elf/setup-vdso.h sets l_relocated: a vDSO is taken as it is mapped."""
    for name in RELOCATIONS:
        value = s.tag(name)
        if value:
            yield f"{name} is 0x{value:x}"


@rule("no-needed", (GLIBC, "does not load it"))
def no_needed(s: Subject) -> Iterator[str]:
    """No DT_NEEDED: nobody loads the libraries of a vDSO. glibc elf/setup-vdso.h: no dependencies are mapped."""
    count = sum(tag == "DT_NEEDED" for tag, _value in s.dynamic or ())
    if count:
        yield f"{count} DT_NEEDED"


@rule("no-textrel", (EVERY, "runs code that nobody relocates"))
def no_textrel(s: Subject) -> Iterator[str]:
    """No DT_TEXTREL, nor DF_TEXTREL in DT_FLAGS: code that is shared can't be written. gABI, "Dynamic Section"."""
    if s.tag("DT_TEXTREL") is not None:
        yield "DT_TEXTREL"
    if (s.tag("DT_FLAGS") or 0) & DF_TEXTREL:
        yield f"DF_TEXTREL in DT_FLAGS 0x{s.tag('DT_FLAGS') or 0:x}"


@rule("soname", (GLIBC, "shows the image without its name"), (GDB, "shows the image without its name"))
def soname(s: Subject) -> Iterator[str]:
    """DT_SONAME is linux-vdso.so.1: what `ldd` prints, and glibc's l_libname.

    glibc elf/setup-vdso.h, after DT_SONAME.
    """
    offset = s.tag("DT_SONAME")
    if s.dynamic is None or s.symbols is None:
        return
    name = None if offset is None else s.string(offset)
    if offset is None:
        yield f"no DT_SONAME, must be {SONAME}"
    elif name != SONAME:
        yield f"soname is {name or '(not in the string table)'}, must be {SONAME}"


@rule(
    "pointers-inside",
    (RUSTIX, "refuses the image or reads beyond it"),
    (GLIBC, "reads beyond the image"),
    (MUSL, "reads beyond the image"),
    (GO, "reads beyond the image"),
    (SELFTESTS, "read beyond the image"),
    (LLVM_LIBC, "reads beyond the image"),
)
def pointers_inside(s: Subject) -> Iterator[str]:
    """Every address in PT_DYNAMIC is below p_memsz, and the tables end there too.

    rustix vdso.rs; the others don't look.
    """
    count = len(s.symbols or ())
    sizes = {"DT_STRTAB": s.tag("DT_STRSZ") or 1, "DT_SYMTAB": count * SYM.size or 1, "DT_VERSYM": 2 * count or 1}
    for name in POINTERS:
        at = s.tag(name)
        size = sizes.get(name, 1)
        if at is not None and not s.inside(at, size):
            yield f"{name} from {signed(at)} to 0x{at + size:x}, the load ends at 0x{s.size:x}"


@rule("string-table", (EVERY, "reads on behind a name that does not end"))
def string_table(s: Subject) -> Iterator[str]:
    """The string table begins and ends with a zero byte.

    gABI, "String Table"; every lookup is strcmp, without a limit.
    """
    start, size = s.tag("DT_STRTAB"), s.tag("DT_STRSZ")
    if start is None or size is None or not s.inside(start, size):
        return
    if size == 0 or s.image[start] or s.image[start + size - 1]:
        yield f"the string table from 0x{start:x} to 0x{start + size:x} does not begin and end with a zero byte"


@rule("no-user-cfi", (EVERY, "dies of SIGILL on a CPU without shadow stacks"))
def no_user_cfi(s: Subject) -> Iterator[str]:
    """Not the user-CFI variant, which Linux 7 maps for programs that ask: DT_AUXILIARY is `cf-protection=…`.

    Linux arch/riscv/kernel/vdso_cfi/; its instructions for shadow stacks are illegal on a CPU that has none.
    """
    offset = s.tag("DT_AUXILIARY")
    name = None if offset is None else s.string(offset)
    if name and name.startswith("cf-protection"):
        yield f"a user-CFI vDSO, DT_AUXILIARY is {name}"
