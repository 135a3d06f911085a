# SPDX-License-Identifier: MIT
"""The one exception for what a user can mend. Anything else that escapes is a bug of ours and shows a traceback."""

from __future__ import annotations


class VdsoError(Exception):
    """`<file>: <what, with numbers in hex> (<limit>); <what to do>`, in one line."""

    def __init__(self, file: str, what: str, todo: str = "") -> None:
        self.file = file
        self.what = " ".join(what.split())
        self.todo = " ".join(todo.split())
        self.reason = f"{self.what}; {self.todo}" if todo else self.what
        super().__init__(f"{file}: {self.reason}")
