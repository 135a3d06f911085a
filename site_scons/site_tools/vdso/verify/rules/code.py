# SPDX-License-Identifier: MIT
"""Rules on the machine code of every exported function and all that it calls, by the data flow of `analysis`."""

from __future__ import annotations

from collections.abc import Iterator

from ...arch.arch import REPLACE
from ...arch.effects import Add, Bits, Clobber, Const, Jump, KernelState, Memory
from ...elf.elf64 import PAGE
from ...image.analysis import Formed, Function, outside
from ..model import Subject, signed
from ..rule import EVERY, GLIBC, GO, rule

MOST_LISTED = 4
ALL = (1 << 64) - 1
NEAR = 16  # pages: Linux's own have four, as many again for the time of a namespace, and one of a hypervisor


def _listed(texts: list[str]) -> str:
    more = len(texts) - MOST_LISTED
    return ", ".join(texts[:MOST_LISTED]) + (f" and {more} more" if more > 0 else "")


def _pc(formed: Formed) -> int:
    return formed.pc


@rule("code-inside", (EVERY, "reads or jumps to what your kernel did not map"))
def code_inside(s: Subject) -> Iterator[str]:
    """No instruction that an export reaches forms an address outside of the image and the pages beside it.

    docs/how-it-works.md#policy: everywhere else is memory that the kernel did not map for it. Of an image that does not
    announce its pages (kernel-pages) those near to it may be such.
    """
    for symbol, function in s.functions:
        formed = [f for f in _outside(s, function) if s.announced or not _in_a_page(s, f)]
        if formed:
            page = ", ".join(f"data page at {signed(start)}" for start, _end in s.data) or "no data page"
            first = {f.target: f for f in reversed(formed)}  # each target counts once, where it is formed first
            kinds = {False: "", True: "absolute "}
            texts = [f"{kinds[f.absolute]}{signed(f.target)} at 0x{f.pc:x}" for f in sorted(first.values(), key=_pc)]
            yield f"{symbol} forms {_listed(texts)} (image 0x0 to 0x{s.size:x}, {page})"


@rule("kernel-pages", (EVERY, "reads pages that your kernel must map beside the image"))
def kernel_pages(s: Subject) -> Iterator[str]:
    """An image whose code reads pages of the kernel says which they are, by our note; of others the user says it.

    Linux's own have them before the image, up to 5.10 behind it: lib/vdso, arch/*/kernel/vdso/vdso.lds.S.
    """
    needed = needed_pages(s)
    if needed and not s.announced:
        before = -min(0, needed[0][0]) // PAGE
        after = max(0, needed[-1][1] - s.pages) // PAGE
        words = [f"before:{before}"] * bool(before) + [f"after:{after}"] * bool(after)
        yield f"{pages_text(needed)}; DATA={','.join(words)} says that it does"


def needed_pages(s: Subject) -> list[tuple[int, int]]:
    """Return [start, end) of the runs of pages beside the image that its code reads, ascending."""
    found = {f.target // PAGE for _symbol, function in s.functions for f in _outside(s, function, ()) if _in_a_page(s, f)}
    runs: list[tuple[int, int]] = []
    for page in sorted(found):
        start, end = page * PAGE, (page + 1) * PAGE
        runs[-1:] = [(runs[-1][0], end)] if runs and runs[-1][1] == start else [*runs[-1:], (start, end)]
    return runs


def pages_text(runs: list[tuple[int, int]]) -> str:
    """Return the runs in words."""
    return ", ".join(f"{signed(start)} to {signed(end)}" for start, end in runs)


def _outside(s: Subject, function: Function, data: tuple[tuple[int, int], ...] | None = None) -> tuple[Formed, ...]:
    """Return the addresses that a function forms outside of the image, and of pages of the kernel."""
    counter = [] if s.counter_offset is None else [range(s.counter_offset, s.counter_offset + 1)]
    pages = [range(start, end) for start, end in (s.data if data is None else data)]
    return outside(function, min(s.size, len(s.image)), [*pages, *counter])


def _in_a_page(s: Subject, formed: Formed) -> bool:
    """Tell whether an address may be in a page that a kernel maps beside the image."""
    near = -NEAR * PAGE <= formed.target < 0 or s.pages <= formed.target < s.pages + NEAR * PAGE
    return near and not formed.absolute and formed.kind in ("load", "address")


@rule("code-known", (EVERY, "may run what can't be proved"))
def code_known(s: Subject) -> Iterator[str]:
    """Every instruction that an export reaches is known to the disassembler, and no jump leads to an unknown place.

    None takes for an address what is computed from absolute constants alone, and none reads a register that only a kernel
    sets. docs/how-it-works.md#policy: only such code is provable.
    """
    for symbol, function in s.functions:
        if function.unknown:
            places = _listed([f"0x{pc:x}" for pc in function.unknown])
            yield f"{symbol} reaches unknown instructions, addresses or jumps at {places}"
        if function.state:
            yield f"{symbol} reads registers that only a kernel sets at {_listed([f'0x{pc:x}' for pc in function.state])}"


@rule("code-registers", (GO, "loses its goroutine or its thread"), (GLIBC, "loses its thread"))
def code_registers(s: Subject) -> Iterator[str]:
    """No function writes or uses the thread pointer, or the global pointer where there is one.

    A psABI takes them from all code: riscv-elf-psabi-doc/riscv-cc.adoc, "Integer Register Convention".
    """
    for symbol, function in s.functions:
        for register in s.arch.thread_registers:
            if register in function.writes:
                yield f"{symbol} writes {register}"
            elif register in function.uses:
                yield f"{symbol} uses {register}"


@rule("code-stack", (GO, "calls on the stacks g0 and gsignal, which have bounds"))
def code_stack(s: Subject) -> Iterator[str]:
    """No function leaves the caller's stack: its pointer is only aligned, moved by constants, or back from the frame pointer.

    Go runtime/sys_linux_riscv64.s: vDSO code runs on the stack of g0, or of gsignal in a signal handler.
    """
    for symbol, function in s.functions:
        switches = [f"0x{pc:x}" for pc in _stack_switches(s, function)]
        if switches:
            yield f"{symbol} loads the stack pointer at {_listed(switches)}"


def _stack_switches(s: Subject, function: Function) -> Iterator[int]:
    if s.arch.stack_register not in function.writes:
        return
    for span in function.covered:
        pc = span.start
        while pc < span.end:
            moved: tuple[str | None, ...]
            size, effect = s.arch.decode(s.image, pc) or (s.arch.code_unit, None)
            match effect:
                case Add(register=register, source=source):
                    moved = () if source in (s.arch.stack_register, s.arch.frame_pointer) else (register,)
                case Bits(register=register, keep=keep, bits=bits):
                    moved = () if keep | PAGE - 1 == ALL and not bits else (register,)
                case Const(register=register) | Jump(link=register):
                    moved = (register,)
                case Clobber(results=results) | KernelState(results=results) | Memory(results=results):
                    moved = results
                case _:
                    moved = ()
            if s.arch.stack_register in moved:
                yield pc
            pc += size


@rule(
    "code-asks-kernel",
    (GLIBC, "turns every error into errno, with no system call after it"),
    (GO, "ignores the answer and takes what was not written"),
)
def code_asks_kernel(s: Subject) -> Iterator[str]:
    """A function of the clock can make its system call: no code serves every clock id and argument.

    Other functions may serve every call by themselves, as a `getcpu` for a kernel with one CPU does. Code that is not known is
    not judged here, since that is another rule's finding.
    Linux's own `time` has no clock id, and takes a page that always has the time.
    docs/how-it-works.md#policy. glibc sysdeps/unix/sysv/linux/clock_gettime.c: any non-zero answer is an error; Go
    runtime/sys_linux_riscv64.s does not look at the answer.
    """
    for symbol, function in s.functions:
        short = s.arch.short(symbol.name or "")
        number = s.arch.syscalls.get(short)
        if (
            number is not None
            and s.arch.policy.get(short) == REPLACE
            and (s.ours or short != "time")
            and not function.unknown
            and number not in function.numbers
        ):
            yield f"{symbol} never makes system call 0x{number:x}"
