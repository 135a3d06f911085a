# SPDX-License-Identifier: MIT
"""An error is one line that a terminal can show, whatever it quotes."""

from __future__ import annotations

import pytest
from vdso.errors import VdsoError


def test_an_error_says_file_what_and_what_to_do() -> None:
    error = VdsoError("file", "wrong", "mend it")
    assert str(error) == "file: wrong; mend it"
    assert (error.file, error.what, error.todo, error.reason) == ("file", "wrong", "mend it", "wrong; mend it")
    assert str(VdsoError("file", "wrong")) == "file: wrong"


@pytest.mark.parametrize(
    ("what", "shown"),
    [
        ("two\nlines  and\ttabs", "two lines and tabs"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\u202eright", "\\u202eright"),
        ("it's \\ é 中", "it's \\ é 中"),
        ("x" * 4000, "x" * 4000),
        ("x" * 4001, "x" * 4000 + " ..."),
    ],
)
def test_what_is_quoted_is_printable_and_ends(what: str, shown: str) -> None:
    assert VdsoError("file", what, " mend\n it ").reason == f"{shown}; mend it"
