# SPDX-License-Identifier: MIT
"""The one exception for what a user can mend. Anything else that escapes is a bug of ours and shows a traceback."""

from __future__ import annotations

OTHER_BASE = "take the vDSO of another Linux, or BASE=minimal"
"""What to do where no image can be made of a base."""

_LONGEST = 4000


class VdsoError(Exception):
    """`<file>: <what, with numbers in hex> (<limit>); <what to do>`, in one line.

    Words that are quoted from a file may be anything, and go to a terminal: unprintable characters are escaped, and long texts
    are cut.
    """

    def __init__(self, file: str, what: str, todo: str = "") -> None:
        self.file = file
        self.what = _printable(" ".join(what.split()))
        self.todo = " ".join(todo.split())
        self.reason = f"{self.what}; {self.todo}" if todo else self.what
        super().__init__(f"{file}: {self.reason}")


def _printable(text: str) -> str:
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[:_LONGEST])
    return shown + " ..." if len(text) > _LONGEST else shown
