# SPDX-License-Identifier: MIT
"""Faults of C and Rust, from their text: comments and strings are blanked first, so patterns see code alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .mutant import Mutant, mutant

COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')
DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(?:include|if|ifdef|ifndef|elif|else|endif|error|undef|\[)[^\n]*", re.M)
ATTRIBUTE = re.compile(r"#!?\[[^\]\n]*\]|\{[%{#].*?[%}#]\}|_Static_assert\(.*?\);|const _: \(\) = .*?;\n", re.S)
SWAPPED = {
    "<=": "<", ">=": ">", "<": "<=", ">": ">=", "==": "!=", "!=": "==", "&&": "||", "||": "&&", "+": "-", "-": "+",
    "*": "+", "/": "*", "%": "*", "<<": ">>", ">>": "<<", "&": "|", "|": "&", "^": "&",
    "+=": "-=", "-=": "+=", "<<=": ">>=", ">>=": "<<=", "|=": "&=", "&=": "|=",
}  # fmt: skip
OPERATOR = re.compile(
    r"(?<=[\w)\]] )(" + "|".join(sorted(map(re.escape, SWAPPED), key=len, reverse=True)) + r")(?= [\w(!~&*-])"
)
NUMBER = re.compile(r"\b(0x[0-9a-fA-F_]+|[0-9][0-9_]*)((?:_?[ui](?:8|16|32|64|128)|_?usize|[uUlL]*))\b")
NOT = re.compile(r"!(?=[\w(])(?!\()")
CALLED = {
    "wrapping_add": "wrapping_sub", "wrapping_sub": "wrapping_add", "saturating_sub": "wrapping_sub",
    "max": "min", "min": "max", "true": "false", "false": "true",
}  # fmt: skip
WORD = re.compile(r"\b(" + "|".join(CALLED) + r")\b")
STATEMENT = re.compile(r"^[ \t]+((?:[\w>.*()&]|->|\[[^\]\n]*\])+(?:\([^;{}]*\)| (?:[-+|&]|<<|>>)?= [^;{}]*));[ \t]*$", re.M)
DECLARED = re.compile(r"(?:let|const|static|return|break|continue|use|pub|else|typedef|goto)\b")
FENCE = re.compile(r'"[^"\n]*\bfence ([iorw]+),([iorw]+)[^"\n]*"')


def c_faults(path: str, text: str) -> list[Mutant]:
    """Return the faults of a file of C, or of a template of Rust."""
    return sorted(set(_faults(path, text)))


def code_of(text: str) -> str:
    """Return the text with blanks in place of comments, strings, attributes and directives that hold no code."""
    for pattern in (COMMENT, STRING, DIRECTIVE, ATTRIBUTE):
        text = pattern.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    return text


def _faults(path: str, text: str) -> Iterator[Mutant]:
    code = code_of(text)

    def fault(start: int, end: int, new: str, kind: str) -> Mutant:
        return mutant(path, text, start, end, new, kind)

    for match in OPERATOR.finditer(code):
        if not _is_type(code, match):
            yield fault(match.start(), match.end(), SWAPPED[match[0]], "operator")
    for match in NUMBER.finditer(code):
        value = int(match[1].replace("_", ""), 0)
        for other in (value + 1, value - 1):
            if other >= 0:
                yield fault(match.start(), match.end(), f"{other}{match[2]}", "constant")
    for match in NOT.finditer(code):
        yield fault(match.start(), match.end(), "", "not gone")
    for match in WORD.finditer(code):
        yield fault(match.start(), match.end(), CALLED[match[0]], "call")
    for match in STATEMENT.finditer(code):
        if not DECLARED.match(match[1]):
            yield fault(match.start(1), match.end(1), "", "a statement gone")
    for match in FENCE.finditer(text):
        for group in (1, 2):
            for at in range(match.start(group), match.end(group)):
                if match.end(group) - match.start(group) > 1:
                    yield fault(at, at + 1, "", "a letter of a fence gone")


def _is_type(code: str, match: re.Match[str]) -> bool:
    """Tell whether a `*` belongs to a type: `const struct row *row`."""
    before = code[: match.start()].rstrip()
    return match[0] == "*" and bool(re.search(r"\b(?:struct \w+|void|char|int|long|u?int\d+_t)$", before))
