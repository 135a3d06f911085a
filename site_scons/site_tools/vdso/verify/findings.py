# SPDX-License-Identifier: MIT
"""The findings of verify: a sentence for each consumer that a broken rule harms, and the text that `scons check` prints."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from .. import templating


@dataclass(frozen=True)
class Finding:
    """What a broken rule does to one consumer.

    rule    the rule's name
    what    a whole sentence that names the consumer: "musl finds nothing: no DT_HASH (…)"
    """

    consumer: str
    rule: str
    what: str


@dataclass(frozen=True)
class Report:
    """The findings of one image, in the order of the consumers.

    rules       how many rules were run
    consumers   all for which a rule was run; a consumer without a finding is content
    needs       the pages of the kernel that the code of an image of others reads, in words
    """

    rules: int
    findings: tuple[Finding, ...]
    consumers: tuple[str, ...]
    needs: str = ""

    @property
    def broken(self) -> tuple[str, ...]:
        """Return the names of the rules that found something, each once."""
        return tuple(dict.fromkeys(finding.rule for finding in self.findings))

    @property
    def content(self) -> tuple[str, ...]:
        """Return the consumers without a finding."""
        unhappy = {finding.consumer for finding in self.findings}
        return tuple(consumer for consumer in self.consumers if consumer not in unhappy)


def report_text(report: Report, name: str) -> str:
    """Return the report as text: the findings by consumer, who is content, how many rules were run. `name`: of the image."""
    groups = [
        (consumer, [finding.what for finding in findings])
        for consumer, findings in groupby(report.findings, key=lambda finding: finding.consumer)
    ]
    return templating.render("check.txt.j2", title=name, report=report, groups=groups)
