# SPDX-License-Identifier: MIT
"""Finds the bytes of a base that stay: those of the functions that are kept."""

from __future__ import annotations

from collections.abc import Sequence

from ..arch.arch import KEEP
from ..elf.unwind import Fde
from ..image.analysis import analyse
from ..image.model import Vdso
from ..policy.decide import Decision
from ..ranges import Span, merged, without


def kept_spans(base: Vdso, decisions: Sequence[Decision]) -> tuple[Span, ...]:
    """Return the bytes of all code that kept functions can run, and of the data in the image that they may read."""
    kept: list[Span] = []
    known = [*base.tables.values(), *(s.span for s in base.exports.values())]
    between = without([Span(0, len(base.data))], known)
    for decision in decisions:
        if decision.policy == KEEP:
            symbol = base.exports[decision.export]
            function = analyse(base.data, symbol.value, base.arch)
            kept += [*function.covered, symbol.span]
            for formed in function.formed:
                kept += [span for span in between if span.holds(formed.target) and formed.kind != "jump"]
    return tuple(merged(kept))


def kept_fdes(base: Vdso, kept: Sequence[Span]) -> list[Fde]:
    """Return the FDEs of the base whose functions are kept."""
    return [fde for fde in base.fdes if any(span.covers(fde.span) for span in kept)]
