# SPDX-License-Identifier: MIT
"""One fault: a place in a file of the checkout, and what stands there instead."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Mutant:
    """Text [start, end) of the file `path` becomes `new`.

    path        relative to the checkout
    line        of `start`, from 1 on
    kind        of the fault, in a word or two
    """

    path: str
    start: int
    end: int
    new: str
    line: int
    kind: str

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}"

    def applied(self, text: str) -> str:
        """Return the text of the file with the fault in it."""
        return text[: self.start] + self.new + text[self.end :]

    def diff(self, text: str) -> str:
        """Return the changed lines of the file `text`: those that go, then those that come."""
        first, last = text.rfind("\n", 0, self.start) + 1, text.find("\n", self.end)
        last = len(text) if last < 0 else last
        old = text[first:last]
        new = text[first : self.start] + self.new + text[self.end : last]
        return "\n".join(
            [*(f"- {line.strip()}" for line in old.split("\n")), *(f"+ {line.strip()}" for line in new.split("\n"))]
        )


def mutant(path: str, text: str, start: int, end: int, new: str, kind: str) -> Mutant:
    """Return the fault that puts `new` in place of text [start, end)."""
    return Mutant(path, start, end, new, text.count("\n", 0, start) + 1, kind)
