# SPDX-License-Identifier: MIT
"""How the sources speak: they cite only what is in this repository or published."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from documents.test_documents import anchors, gone
from repository import ROOT

UNPUBLISHED = re.compile(r"\bDESIGN\b|\b[Tt]raps? \d")
HERE = Path(__file__).resolve()


def sources() -> list[Path]:
    """Return every text of ours that git tracks, but for this file and its neighbour, which have bad examples."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    ours = [ROOT / name for name in tracked if not name.startswith(("LICENSE", "requirements")) and not name.endswith(".png")]
    return [path for path in ours if path.exists() and path not in (HERE, HERE.with_name("test_documents.py"))]


def wrong_citations(text: str) -> list[str]:
    """Return what a text cites that nobody can look up: unpublished documents, pages, headings and paths that are not there."""
    found = [match.group() for match in UNPUBLISHED.finditer(text)]
    for name, anchor in re.findall(r"\b(docs/[\w-]+\.md)(?:#([\w-]+))?", text):
        page = ROOT / name
        if not page.exists() or (anchor and anchor not in anchors(page)):
            found.append(f"{name}#{anchor}" if anchor else name)
    return [*found, *(name for name in gone(text) if name not in found)]


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_is_cited_can_be_looked_up(path: Path) -> None:
    assert wrong_citations(path.read_text()) == []


def test_what_nobody_can_look_up_is_found() -> None:
    text = "as DESIGN 6 has it, and Traps 1 to 3; docs/none.md, docs/how-it-works.md#nowhere, vdso_src/gone.c"
    assert wrong_citations(text) == ["DESIGN", "Traps 1", "docs/none.md", "docs/how-it-works.md#nowhere", "vdso_src/gone.c"]
    assert wrong_citations("docs/how-it-works.md#splice, vdso_src/vdso_data.h, bfd/elflink.c") == []
