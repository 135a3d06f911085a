# SPDX-License-Identifier: MIT
"""Finds the bytes of a base that stay: those of the functions that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..arch.arch import KEEP
from ..elf.unwind import Fde
from ..image.analysis import analyse
from ..image.model import Symbol, Vdso
from ..policy.decide import Decision
from ..ranges import Span, merged


def kept_spans(base: Vdso, decisions: Sequence[Decision]) -> tuple[Span, ...]:
    """Return the bytes of all code that kept functions can run, and of the data in the image that they may read."""
    kept: list[Span] = []
    for decision in decisions:
        if decision.policy == KEEP:
            symbol = base.exports[decision.export]
            function = analyse(base.data, symbol.value, base.arch)
            kept += [*function.covered, symbol.span, *_leads(base, symbol)]
            for formed in function.formed:
                kept += [span for span in base.between if span.holds(formed.target) and formed.kind != "jump"]
    return tuple(merged(kept))


def _leads(base: Vdso, symbol: Symbol) -> list[Span]:
    """Return the bytes before a function that its unwind information begins with, where nothing else of the base is.

    Unwinders look up the byte before a return address. So that the byte before rt_sigreturn leads to the signal frame, its
    unwind information can begin a nop before it, as that of QEMU's vDSOs and of some of Linux does.
    """
    others = [*base.tables.values(), *base.reached, *(s.span for s in base.exports.values())]
    leads = [Span.between(fde.start, symbol.value) for fde in base.fdes if fde.span.holds(symbol.value)]
    return [lead for lead in leads if lead.size and not any(lead.overlaps(other) for other in others)]


def kept_fdes(base: Vdso, kept: Sequence[Span]) -> list[Fde]:
    """Return the FDEs of the base for the functions that are kept, cut to those where they describe more.

    The end can be cut off any of them; the beginning only where one rule holds throughout, as in one FDE for several functions
    without a frame.
    """
    found = []
    for fde in base.fdes:
        for span in kept:
            start, end = max(fde.start, span.start), min(fde.end, span.end)
            if start < end and (start == fde.start or fde.constant):
                found.append(replace(fde, start=start, size=end - start))
    return found
