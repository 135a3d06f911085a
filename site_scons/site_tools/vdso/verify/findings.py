# SPDX-License-Identifier: MIT
"""What verify says: plain words, one finding for each consumer that a broken rule harms, and the text of `scons check`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from .. import templating


@dataclass(frozen=True)
class Finding:
    """`what` is a whole sentence that names the consumer: "musl finds nothing: no DT_HASH (…)".

    `rule` is the rule's name.
    """

    consumer: str
    rule: str
    what: str


@dataclass(frozen=True)
class Report:
    """The findings in the order of the consumers, and how many rules were run to get them.

    consumers   all that the rules which were run speak for, in their order: one without a finding is content
    """

    rules: int
    findings: tuple[Finding, ...]
    consumers: tuple[str, ...]

    @property
    def broken(self) -> tuple[str, ...]:
        """The names of the rules that found something, each once."""
        return tuple(dict.fromkeys(finding.rule for finding in self.findings))

    @property
    def content(self) -> tuple[str, ...]:
        """The consumers that nothing was found for."""
        unhappy = {finding.consumer for finding in self.findings}
        return tuple(consumer for consumer in self.consumers if consumer not in unhappy)


def text(report: Report, name: str) -> str:
    """Return findings by consumer, who is content, and how many rules were run. `name`: what was verified."""
    groups = [
        (consumer, [finding.what for finding in findings])
        for consumer, findings in groupby(report.findings, key=lambda finding: finding.consumer)
    ]
    return templating.render("check.txt.j2", title=name, report=report, groups=groups)
