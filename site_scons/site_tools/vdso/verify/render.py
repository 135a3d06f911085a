# SPDX-License-Identifier: MIT
"""A report as the text that `scons check` prints."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from .report import Report


def render(report: Report, name: str, templates: Path) -> str:
    """The text of `templates`/check.txt.j2: findings by consumer, who is content, how many rules were run."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    groups = [
        (consumer, [finding.what for finding in findings])
        for consumer, findings in groupby(report.findings, key=lambda finding: finding.consumer)
    ]
    environment = Environment(
        loader=FileSystemLoader(templates), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, autoescape=False,
    )  # fmt: skip
    return environment.get_template("check.txt.j2").render(name=name, report=report, groups=groups)
