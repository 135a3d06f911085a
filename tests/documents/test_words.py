# SPDX-License-Identifier: MIT
"""How the sources speak: a function's docstring begins with a verb, and what is cited can be looked up."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from documents.test_documents import anchors, gone
from repository import ROOT

VERBS = frozenset(Path(__file__).with_name("verbs.txt").read_text().split())
"""Verbs in the imperative. A new one may be added there; most nouns that look like one are found by an `of` behind them."""
SCRIPTS = ("sconsw", "SConstruct", "SConscript")
UNPUBLISHED = re.compile(r"\bDESIGN\b|\b[Tt]raps? \d")
HERE = Path(__file__).resolve()
WITH_BAD_EXAMPLES = (HERE, HERE.with_name("test_documents.py"))


def sources() -> list[Path]:
    """Return every text of ours that git tracks, but for those WITH_BAD_EXAMPLES."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    ours = [
        ROOT / name
        for name in tracked
        if not name.startswith(("LICENSE", "requirements")) and not name.endswith((".png", ".so"))
    ]
    return [path for path in ours if path.exists() and path not in WITH_BAD_EXAMPLES]


def wrong_docstrings(text: str) -> list[str]:
    """Return `name: first line` of each function whose docstring does not begin with a verb in the imperative.

    A rule's docstring is its demand, and that of a test explains its name.
    """
    found = []
    for function, docstring in _documented(ast.parse(text)):
        first, second, *_ = *re.findall(r"[^\s.,:;]+", docstring), ""
        if first not in VERBS or second == "of":
            found.append(f"{function.name}: {docstring.splitlines()[0]}")
    return found


def _documented(tree: ast.AST) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("test_"):
            docstring = ast.get_docstring(node)
            if docstring and not any(ast.unparse(decorator).startswith("rule(") for decorator in node.decorator_list):
                yield node, docstring


def modules() -> list[Path]:
    """Return every module and script of ours."""
    return [*(path for path in sources() if path.suffix == ".py" or path.name in SCRIPTS), *WITH_BAD_EXAMPLES]


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_docstrings_of_functions_begin_with_a_verb(path: Path) -> None:
    assert wrong_docstrings(path.read_text()) == []


def test_a_docstring_that_hides_its_verb_is_found() -> None:
    text = """
def size(self):
    '''The size in bytes.'''
def reads(self):
    '''Reads it.'''
class Image:
    '''A noun may stand here.'''
    @property
    async def whole(self):
        '''Whether nothing is missing.'''
    def order(self):
        '''Order of the parts.'''
    def read(self):
        '''Read, then close.'''
        def inner():
            '''``size``: return it.'''
@rule("dt-hash", (MUSL, "finds nothing"))
def dt_hash(s):
    '''DT_HASH is there.'''
def test_it():
    '''Each of them.'''
"""
    found = [name.partition(":")[0] for name in wrong_docstrings(text)]
    assert sorted(found) == ["inner", "order", "reads", "size", "whole"]


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
