# SPDX-License-Identifier: MIT
"""The counts as plain data, and as a table for a person."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from .counting import counts
from .subject import Subject

TITLE = "retired instructions of a call, entry to return inclusive"
LEGEND = """\
+s: and a system call. A Linux runs its own functions on a data page made for it, 1 ms after the last update. Every answer
was compared with the exact time. rt_sigreturn does not return and is not counted."""
SIZE = "bytes of code"


def columns(subjects: Sequence[Subject]) -> list[dict[str, Any]]:
    """Return a column for each subject: its code sizes by export, and its counts in the order of its calls."""
    return [
        {
            "name": subject.name,
            "sha256": subject.sha256,
            "bytes": {name: function.size for name, function in sorted(subject.functions.items())},
            "calls": [
                {
                    "export": call.export,
                    "case": call.case,
                    "instructions": found.instructions,
                    "system_calls": found.system_calls,
                    "reason": found.reason,
                }
                for call, found in counts(subject).items()
            ],
        }
        for subject in subjects
    ]


def text(made: Sequence[dict[str, Any]]) -> str:
    """Return the result of columns() as text for a person."""
    heads = [column["name"].split(" ", 1) for column in made]
    rows = [["", "", *(words[0] for words in heads)], ["", "", *(" ".join(words[1:]) for words in heads)]]
    calls = made[0]["calls"]
    for export, group in groupby(range(len(calls)), key=lambda index: calls[index]["export"]):
        for first, index in enumerate(group):
            cells = [_cell(column["calls"][index]) for column in made]
            rows.append(["" if first else export, calls[index]["case"], *cells])
        rows.append(["", SIZE, *(str(column["bytes"].get(export) or "-") for column in made)])
    return "\n".join([TITLE, "", *_aligned(rows), "", LEGEND, *_reasons(made)]) + "\n"


def _cell(call: dict[str, Any]) -> str:
    return "-" if call["instructions"] is None else f"{call['instructions']}" + "+s" * call["system_calls"]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align two columns of words to the left, and the numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = [str.ljust, str.ljust, *[str.rjust] * (len(widths) - 2)]
    return ["  ".join(side(*cell) for side, *cell in zip(sides, row, widths, strict=True)).rstrip() for row in rows]


def _reasons(made: Sequence[dict[str, Any]]) -> list[str]:
    """Say for each export, in a line, why there is no number."""
    lines = []
    for export in dict.fromkeys(call["export"] for call in made[0]["calls"]):
        reasons: dict[str, list[str]] = {}
        for column in made:
            for reason in {call["reason"] for call in column["calls"] if call["export"] == export and call["reason"]}:
                reasons.setdefault(reason, []).append(column["name"])
        if reasons:
            lines.append(f"- {export}: " + "; ".join(f"{reason} ({', '.join(names)})" for reason, names in reasons.items()))
    return lines
