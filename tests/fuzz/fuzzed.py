# SPDX-License-Identifier: MIT
"""What cases of one architecture are made of. tests/arch/*/fuzzed.py fill it in."""

from __future__ import annotations

from dataclasses import dataclass

from snippets import Snippets, word
from vdso.arch.arch import Arch


@dataclass(frozen=True)
class Fuzzed:
    """The words of an architecture.

    code            of made bases and images
    instructions    one of each kind that the data flow knows, and some that nobody knows
    flags           e_flags of Linux's vDSOs
    policies        some values of POLICY, for exports that its bases have
    undefined       a symbol that its bases may leave undefined
    """

    arch: Arch
    code: Snippets
    instructions: tuple[bytes, ...]
    flags: tuple[int, ...]
    policies: tuple[str, ...]
    undefined: str


def words(*numbers: int) -> tuple[bytes, ...]:
    """Return instructions of four bytes."""
    return tuple(map(word, numbers))
