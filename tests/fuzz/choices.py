# SPDX-License-Identifier: MIT
"""Where the decisions of a generator come from. Every generator takes one `Choices` and is a function of its answers."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """`below(n)` answers with a number from 0 to n - 1."""

    def __init__(self, below: Callable[[int], int]) -> None:
        self.below = below

    def pick(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def chance(self, one_in: int) -> bool:
        return self.below(one_in) == 0

    def between(self, low: int, high: int) -> int:
        return low + self.below(high - low + 1)

    def bytes(self, size: int) -> bytes:
        return bytes(self.below(256) for _ in range(size))


def seeded(number: int) -> Choices:
    """Return choices that are the same for the same number, on every machine."""
    return Choices(random.Random(number).randrange)
