# SPDX-License-Identifier: MIT
"""Rules on unwind information, and on rt_sigreturn, which unwinders know by its bytes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from ..frames import ENCODINGS, cie_encoding, row_changes
from ..model import Fde, Subject, Symbol
from ..rule import GDB, KERNEL, UNWINDERS, rule


def _sigreturn(s: Subject) -> Symbol | None:
    name = s.arch.export("rt_sigreturn")
    return next((symbol for symbol in s.exports if symbol.name == name and symbol.defined), None)


@rule("sigreturn", (KERNEL, "has no place for signal handlers to return to"))
def sigreturn(s: Subject) -> Iterator[str]:
    """rt_sigreturn is exported where the architecture has it.

    Linux arch/riscv/kernel/signal.c, setup_rt_frame.
    """
    name = s.arch.export("rt_sigreturn")
    if s.arch.sigreturn and s.symbols is not None and name not in {symbol.name for symbol in s.exports}:
        yield f"no {name}"


@rule("sigreturn-bytes", (UNWINDERS, "can't pass a signal frame (pthread_cancel)"), (GDB, "can't pass a signal frame"))
def sigreturn_bytes(s: Subject) -> Iterator[str]:
    """Its code is what unwinders know it by, to the byte.

    libgcc config/riscv/linux-unwind.h; gdb riscv-linux-tdep.c.
    """
    symbol = _sigreturn(s)
    if symbol is None or not s.inside(symbol.value, len(s.arch.sigreturn)):
        return
    found = s.image[symbol.value : symbol.value + len(s.arch.sigreturn)]
    if found != s.arch.sigreturn:
        yield f"{symbol} at 0x{symbol.value:x} is {found.hex()}, must be {s.arch.sigreturn.hex()}"


@rule("eh-frame-header", (UNWINDERS, "read no unwind information, or a wrong one"))
def eh_frame_header(s: Subject) -> Iterator[str]:
    """.eh_frame_hdr has version 1, the linker's encodings (0x1b, 0x03, 0x3b), a table that fits.

    libgcc unwind-dw2-fde-dip.c.
    """
    for segment in s.of_type("PT_GNU_EH_FRAME"):
        frames = s.frames
        if not s.inside(segment.vaddr, segment.memsz):
            return
        if frames is None or frames.version != 1 or frames.encodings != ENCODINGS:
            head = s.image[segment.vaddr : segment.vaddr + 4].hex()
            yield f".eh_frame_hdr at 0x{segment.vaddr:x} begins with {head}, must be 01{bytes(ENCODINGS).hex()}"
        elif frames.table is None or segment.memsz < 12 + 8 * frames.count:
            yield f".eh_frame_hdr at 0x{segment.vaddr:x} has {frames.count} entries in 0x{segment.memsz:x} bytes"


@rule("eh-frame-pointer", (UNWINDERS, "look for unwind information in another place"))
def eh_frame_pointer(s: Subject) -> Iterator[str]:
    """eh_frame_ptr leads to a CIE inside the load. LSB core, ".eh_frame_hdr"; gdb and libunwind walk from there."""
    if s.frames is not None and s.frames.eh_frame is not None and s.frames.count:
        at = s.frames.eh_frame
        if not s.inside(at) or cie_encoding(s.image, at) is None:
            yield f"eh_frame_ptr leads to {_hex(at)}, where no CIE is"


def _hex(at: int) -> str:
    return f"-0x{-at:x}" if at < 0 else f"0x{at:x}"


@rule("eh-frame-sorted", (UNWINDERS, "miss a function"))
def eh_frame_sorted(s: Subject) -> Iterator[str]:
    """The table of .eh_frame_hdr ascends: it is searched by halving. libgcc unwind-dw2-fde-dip.c; LSB core."""
    table = (s.frames.table if s.frames else None) or ()
    for (first, _fde), (second, _next) in itertools.pairwise(table):
        if first >= second:
            yield f"entry for {_hex(second)} comes after that for {_hex(first)}"


@rule("eh-frame-entries", (UNWINDERS, "read garbage as unwind information"))
def eh_frame_entries(s: Subject) -> Iterator[str]:
    """Each entry leads to an FDE inside the load that begins where the entry says. libgcc unwind-dw2-fde-dip.c."""
    if s.frames is None:
        return
    for (location, at), fde in zip(s.frames.table or (), s.frames.fdes, strict=False):
        if fde is None or not s.inside(at, 16):
            yield f"entry for {_hex(location)} leads to {_hex(at)}, where no FDE is"
        elif fde.start != location:
            yield f"entry for {_hex(location)} leads to an FDE for {_hex(fde.start)} to {_hex(fde.end)}"


def _fdes(s: Subject) -> tuple[Fde, ...]:
    return tuple(fde for fde in (s.frames.fdes if s.frames else ()) if fde is not None)


@rule("fde-function", (UNWINDERS, "unwind code by what another function was"), (GDB, "shows wrong callers"))
def fde_function(s: Subject) -> Iterator[str]:
    """Each FDE describes code of the image, and an export that begins inside of it begins with its first rule.

    One FDE may describe several functions without a frame, the padding behind a function, or a nop before rt_sigreturn
    (QEMU linux-user/riscv/vdso.S): there its rule is the right one. libgcc unwind-dw2.c, execute_cfa_program.
    In an image of ours each also describes code that an export reaches (docs/how-it-works.md#splice).
    """
    for fde in _fdes(s) if s.symbols is not None else ():
        where = f"the FDE at 0x{fde.at:x} describes {_hex(fde.start)} to {_hex(fde.end)}"
        if fde.end <= fde.start or not s.inside(fde.start, fde.end - fde.start):
            yield f"{where}, not code of the image"
        elif s.ours and not _reached(s, fde):
            yield f"{where}, which no export reaches"
        else:
            eh_frame = s.frames.eh_frame if s.frames and s.frames.eh_frame is not None else 0
            for export in s.exports:
                inside = export.defined and fde.start < export.value < fde.end
                if inside and row_changes(s.image, eh_frame, fde, export.value):
                    yield f"{where}, by another rule at 0x{export.value:x}, where {export} begins"


def _reached(s: Subject, fde: Fde) -> bool:
    """Tell whether some code runs that it describes, or may: not all can be followed."""
    code = [(span.start, span.end) for _symbol, function in s.functions for span in function.covered]
    # Any symbol may hold the code here: a symbol without a name, or an undefined one, is another rule's finding.
    code += [(symbol.value, symbol.value + symbol.size) for symbol in s.symbols or ()]
    if any(function.unknown for _symbol, function in s.functions):
        return True
    return any(start < fde.end and fde.start < end for start, end in code)


@rule("fde-before-sigreturn", (UNWINDERS, "unwind a signal handler by the function before"))
def fde_before_sigreturn(s: Subject) -> Iterator[str]:
    """No FDE ends where rt_sigreturn begins: a handler returns to its first byte, and unwinders look up pc - 1.

    libgcc unwind-dw2.c, uw_frame_state_for; docs/how-it-works.md#splice.
    """
    symbol = _sigreturn(s)
    for fde in _fdes(s):
        if symbol is not None and fde.start < symbol.value == fde.end:
            yield f"the FDE at 0x{fde.at:x}, for {_hex(fde.start)}, ends at 0x{fde.end:x} where {symbol} begins"
