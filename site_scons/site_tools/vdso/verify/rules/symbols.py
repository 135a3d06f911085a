# SPDX-License-Identifier: MIT
"""Rules on the dynamic symbols: what a lookup asks of a symbol after it has found the name."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from ..model import Subject, Symbol
from ..rule import BINUTILS, EVERY, GLIBC, GO, KERNEL, LLVM_LIBC, MUSL, RUSTIX, SELFTESTS, rule


def _defined(s: Subject) -> tuple[Symbol, ...]:
    return tuple(symbol for symbol in s.exports if symbol.defined)


@rule(
    "clock-gettime",
    (GLIBC, "traps for every clock"),
    (MUSL, "traps for every clock"),
    (GO, "traps for every clock"),
    (RUSTIX, "ends every program that uses its time"),
)
def clock_gettime(s: Subject) -> Iterator[str]:
    """clock_gettime is exported: the clock of glibc (of its time() and gettimeofday() too), musl, Go and rustix.

    glibc sysdeps/unix/sysv/linux/riscv/sysdep.h; musl arch/riscv64/syscall_arch.h; Go runtime/vdso_linux_riscv64.go.
    """
    clock = s.arch.export("clock_gettime")
    if s.symbols is not None and clock not in {symbol.name for symbol in s.exports}:
        yield f"no {clock} among {', '.join(map(str, s.exports)) or 'no symbols'}"


ASSERTED = "asserted-exports"
"""The rule that POLICY may break, by the user's word."""


@rule(ASSERTED, (RUSTIX, "ends every program that uses its threads"))
def asserted_exports(s: Subject) -> Iterator[str]:
    """What rustix asserts is exported: getcpu, on some architectures.

    rustix src/backend/linux_raw/vdso_wrappers.rs, init: assert!(!ptr.is_null()), once it has found a vDSO.
    """
    exports = {symbol.name for symbol in s.exports if symbol.defined}
    for export in sorted(map(s.arch.export, s.arch.asserted)):
        if s.symbols is not None and export not in exports:
            yield f"no {export}"


@rule("symbol-names", (EVERY, "reads a name outside of the string table"))
def symbol_names(s: Subject) -> Iterator[str]:
    """Every st_name lies inside DT_STRSZ. gABI, "Symbol Table"; consumers compare without a limit."""
    for symbol in s.symbols or ():
        if symbol.name is None:
            yield f"the name of symbol 0x{symbol.index:x} lies outside of the string table"


@rule("symbol-type", (GO, "misses a function"), (SELFTESTS, "miss a function"), (RUSTIX, "misses a function"))
def symbol_type(s: Subject) -> Iterator[str]:
    """Every export is STT_FUNC, or STT_NOTYPE, as assembly without a directive is.

    Go vdso_linux.go and rustix take both, musl takes more; parse_vdso.c takes less (`symbol-notype`).
    """
    for symbol in _defined(s):
        if symbol.type not in ("STT_FUNC", "STT_NOTYPE"):
            yield f"{symbol} is {symbol.type}, not STT_FUNC"


@rule("symbol-notype", (SELFTESTS, "miss a function"))
def symbol_notype(s: Subject) -> Iterator[str]:
    """No export that is called by its name is STT_NOTYPE (in our images: none at all).

    parse_vdso.c asks for STT_FUNC. Linux's own rt_sigreturn has no type in arch/arm64/kernel/vdso/sigreturn.S, but no program
    calls it: the kernel returns to it, and who looks for it, as CRIU does, wants the place.
    """
    for symbol in _defined(s):
        if symbol.type == "STT_NOTYPE" and (s.ours or s.arch.short(str(symbol)) != "rt_sigreturn"):
            yield f"{symbol} is STT_NOTYPE, not STT_FUNC"


@rule(
    "symbol-bind",
    (MUSL, "misses a function"),
    (GO, "misses a function"),
    (RUSTIX, "misses a function"),
    (SELFTESTS, "miss a function"),
)
def symbol_bind(s: Subject) -> Iterator[str]:
    """Every export is GLOBAL (in images of others also WEAK, which all consumers take).

    musl vdso.c, OK_BINDS; Go; rustix.
    """
    allowed = ("STB_GLOBAL",) if s.ours else ("STB_GLOBAL", "STB_WEAK")
    for symbol in s.exports:
        if symbol.bind not in allowed:
            yield f"{symbol} is {symbol.bind}, must be {' or '.join(allowed)}"


@rule(
    "no-undefined",
    (GLIBC, "calls it"),
    (RUSTIX, "calls it"),
    (BINUTILS, "reject the image"),
    (LLVM_LIBC, "calls it"),
)
def no_undefined(s: Subject) -> Iterator[str]:
    """No undefined entry that someone may look up or call; in our images none at all.

    glibc elf/dl-lookup.c and dl-vdso.h look at st_value only, rustix vdso.rs at nothing on its DT_GNU_HASH path. That of
    Linux 6.1 (arch/riscv/kernel/vdso/) has an entry with value 0, a key of its alternatives, which nobody asks for.
    """
    for symbol in s.symbols or ():
        if symbol.index == 0 or symbol.defined:
            continue
        if s.ours or symbol.value or (symbol.name or "").startswith(s.arch.export_prefix):
            yield f"{symbol} is undefined (SHN_UNDEF), value 0x{symbol.value:x}"


@rule("symbol-inside", (EVERY, "jumps out of the image"))
def symbol_inside(s: Subject) -> Iterator[str]:
    """The code of every export lies inside the load, behind the ELF header, and is not empty.

    rustix vdso.rs, sym, asserts the first; glibc elf/dl-vdso.h adds st_value to the base; gdb and perf need the size.
    """
    for symbol in _defined(s):
        if symbol.size == 0 or symbol.value == 0 or not s.inside(symbol.value, symbol.size):
            end = symbol.value + symbol.size
            yield f"{symbol} from 0x{symbol.value:x} to 0x{end:x}, the load ends at 0x{s.size:x}"


@rule("symbols-apart", (KERNEL, "gets two functions in one place"), (BINUTILS, "show one function inside another"))
def symbols_apart(s: Subject) -> Iterator[str]:
    """No two exports overlap, unless they are one function under two names.

    docs/how-it-works.md#splice: symbols say where the new code is, and how long.
    """
    ordered = sorted({(symbol.value, symbol.size) for symbol in _defined(s) if symbol.size})
    names = {(symbol.value, symbol.size): str(symbol) for symbol in _defined(s)}
    for first, second in itertools.pairwise(ordered):
        if first[0] + first[1] > second[0]:
            yield f"{names[first]} ends at 0x{first[0] + first[1]:x}, {names[second]} begins at 0x{second[0]:x}"


@rule("symbol-alias", (EVERY, "finds another function by its short name"))
def symbol_alias(s: Subject) -> Iterator[str]:
    """The name of an export without its prefix, where there is such a symbol too, leads to the same code.

    Linux arch/x86/entry/vdso/: each function has its C library's name as a weak alias.
    """
    exports = {symbol.name: symbol for symbol in _defined(s)}
    for name, symbol in exports.items():
        full = exports.get(s.arch.export(name or ""))
        if full is not None and full.value != symbol.value:
            yield f"{symbol} is at 0x{symbol.value:x}, {full} at 0x{full.value:x}"


@rule("symbol-section", (BINUTILS, "show the function without its name"))
def symbol_section(s: Subject) -> Iterator[str]:
    """st_shndx of every export names an executable section that holds it. objdump -d and addr2line go by section."""
    if s.sections is None:
        return
    for symbol in _defined(s):
        if not s.inside(symbol.value):
            continue
        section = s.sections[symbol.shndx] if isinstance(symbol.shndx, int) and symbol.shndx < len(s.sections) else None
        if section is None:
            yield f"{symbol} is in section {symbol.shndx}, the table has 0x{len(s.sections):x}"
        elif not section.flags & 4 or not section.addr <= symbol.value < section.addr + section.size:
            yield f"{symbol} at 0x{symbol.value:x} is not in code of its section {section.name} (0x{symbol.shndx:x})"
