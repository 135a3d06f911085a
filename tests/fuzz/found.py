# SPDX-License-Identifier: MIT
"""What fuzzing found, and was mended: each input as a small generator, with the ending that it has now."""

from __future__ import annotations

from .way import Case

FOUND: tuple[tuple[str, str, Case], ...] = ()


def case(number: int) -> Case:
    return FOUND[number][2]
