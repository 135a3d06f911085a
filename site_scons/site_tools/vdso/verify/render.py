# SPDX-License-Identifier: MIT
"""A report as the text that `scons check` prints."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from .. import templating
from .report import Report


def render(report: Report, name: str, templates: Path) -> str:
    """The text of `templates`/check.txt.j2: findings by consumer, who is content, how many rules were run."""
    groups = [
        (consumer, [finding.what for finding in findings])
        for consumer, findings in groupby(report.findings, key=lambda finding: finding.consumer)
    ]
    return templating.render(templates, "check.txt.j2", title=name, report=report, groups=groups)
