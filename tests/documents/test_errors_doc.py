# SPDX-License-Identifier: MIT
"""docs/errors.md has a row for each error that the sources can end with, and none for one that is gone."""

from __future__ import annotations

import re
from collections.abc import Iterable

from documents.error_messages import ANY, Source
from repository import ROOT

DOC = (ROOT / "docs" / "errors.md").read_text()
SOURCES = [*(ROOT / "site_scons").rglob("*.py"), *(ROOT / "examples").glob("*.py"), ROOT / "SConstruct", ROOT / "sconsw"]


def patterns(doc: str) -> list[str]:
    """Return the messages of the rows: the code in those lines of an item that end with a backslash."""
    return [text for head in re.findall(r"^- (`.*?)\\$", doc, re.M | re.S) for text in re.findall(r"`([^`]+)`", head)]


def complaints(doc: str, messages: Iterable[tuple[str, str]]) -> list[str]:
    """Return what is missing in the page, stale, or there twice; `messages`: (place, message)."""
    found, rows = [], {text: re.compile(".*".join(map(re.escape, text.split(ANY)))) for text in patterns(doc)}
    left = set(rows)
    for place, message in messages:
        covering = [message] if message in rows else [text for text, row in rows.items() if row.fullmatch(message)]
        left.difference_update(covering)
        if message == ANY:
            found.append(f"{place}: write the words of this error where it is made, so that docs/errors.md can be held to them")
        elif not covering:
            found.append(f"{place}: docs/errors.md has no row; add why it happens and what to do under - `{message}`\\")
        elif len(covering) > 1:
            found.append(f"{place}: docs/errors.md has more than one row for `{message}`: {covering}; make them narrower")
    return found + [f"docs/errors.md: no error says `{text}` any more; take it out" for text in sorted(left)]


def messages() -> list[tuple[str, str]]:
    return [
        (f"{path.relative_to(ROOT)}:{line}", text)
        for path in SOURCES
        for line, text in sorted(set(Source(path.name, path.read_text()).messages()))
    ]


def test_every_error_has_a_row_and_every_row_an_error() -> None:
    found = messages()
    assert len(found) > 100
    assert not (wrong := complaints(DOC, found)), "\n".join(wrong)


def test_rows_are_few_and_say_more_than_the_message() -> None:
    rows = re.findall(r"^- `.*?\\\n(.*?)(?=^\S|\Z)", DOC, re.M | re.S)
    assert 40 < len(rows) <= 75
    for row in rows:
        assert len(row.split()) > 8, row


def test_an_error_without_a_row_is_found() -> None:
    source = Source(
        "new.py",
        """
def load(name):
    what = f"its {name} is odd"
    raise VdsoError(name, what, "take another")
def other():
    raise VdsoError("NEW", KNOWN[1])
""",
    )
    assert [text for _, text in source.messages()] == [f"its {ANY} is odd", ANY]
    gap, blind = complaints("", [(f"new.py:{line}", text) for line, text in source.messages()])
    assert gap == "new.py:4: docs/errors.md has no row; add why it happens and what to do under - `its … is odd`\\"
    assert blind == "new.py:6: write the words of this error where it is made, so that docs/errors.md can be held to them"


def test_a_row_without_an_error_is_found_and_two_for_one() -> None:
    doc = "- `its … is odd`, `gone`\\\n  Why.\n- `its name …`\\\n  Why.\n"
    twice, stale = complaints(doc, [("new.py:4", "its name is odd")])
    assert stale == "docs/errors.md: no error says `gone` any more; take it out"
    assert "more than one row for `its name is odd`" in twice
    assert not complaints(doc, [("a", "its … is odd"), ("b", "gone"), ("c", "its name ends")])


COUNTED = r"(?:entries|symbols|sections|segments|notes|relocations|chains|buckets|words|files|times|more|PT_[A-Z]+|DT_[A-Z]+)"
IN_HEX = re.compile(r"(?:\{[^{}]*:#x\}|0x\{[^{}]*:x\}) (?:(?!of )[a-z]+ )?" + COUNTED + r"\b")


def in_hex(text: str) -> list[str]:
    """Return where a number that counts things would be printed in hex, as addresses, sizes and words of the file are."""
    return [match[0] for match in IN_HEX.finditer(text)]


def test_what_counts_things_is_decimal() -> None:
    assert in_hex('f"PT_DYNAMIC has {n:#x} entries", f"0x{len(found):x} ELF files"') == ["{n:#x} entries"]
    assert in_hex('f"{n:#x} bloom words", f"and 0x{more:x} more", f"{n} symbols at {at:#x}, in {size:#x} bytes"') == [
        "{n:#x} bloom words",
        "0x{more:x} more",
    ]
    found = {str(path.relative_to(ROOT)): in_hex(path.read_text()) for path in SOURCES}
    assert not {path: places for path, places in found.items() if places}
