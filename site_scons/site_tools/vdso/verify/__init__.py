# SPDX-License-Identifier: MIT
"""Holds an image to the demands of everything that reads it: each demand of a C library, a runtime or a tool is a rule.

The modules in `rules/` group the rules by the part of the image that they look at, not by consumer: most demands have several.
"""

from __future__ import annotations

from ..arch.arch import Arch
from . import identity
from .findings import Finding, Report
from .model import Beside
from .reader import open_elf, read_subject
from .rule import CONSUMERS, EVERY, RULES, Rule
from .rules import code, dynamic, hashes, header, notes, sections, segments, symbols, unwinder, versions
from .rules.symbols import ASSERTED

__all__ = ["ASSERTED", "RULES", "Beside", "Finding", "Report", "verify"]

# The modules whose import fills RULES; `identity` is not among them: it decides whether the rest can run.
RULE_MODULES = (code, dynamic, hashes, header, notes, sections, segments, symbols, unwinder, versions)


def verify(image: bytes, arch: Arch, beside: Beside | None = None, name: str = "image") -> Report:
    """Run every rule on `image` and return all findings, by consumer. Never raises, for any bytes.

    beside          the pages of the kernel beside the image, whatever our note says; None: as our note says
    name            what findings on the whole file call it

    An image that is not 64-bit ELF for `arch` gets one finding that says what it is, and no other rule is run.
    """
    elffile = open_elf(image)
    refusal = identity.refusal(elffile, len(image), arch, name)
    if refusal is None:
        assert not isinstance(elffile, str)
        subject = read_subject(image, elffile, arch, beside)
        refusal = identity.too_many(len(subject.symbols or ()), name)
    if refusal is not None:
        rule, what = refusal
        return Report(len(identity.RULES), (Finding(EVERY, rule, what),), (EVERY,))
    facts = [(rule, tuple(rule.check(subject))) for rule in RULES.values()]
    found = [
        (consumer, Finding(consumer, rule.name, f"{consumer} {harm}: {fact}"))
        for rule, those in facts
        for fact in those
        for consumer, harm in rule.harms_on(arch)
    ]
    found.sort(key=lambda pair: CONSUMERS.index(pair[0]))
    needs = "" if subject.ours or beside is None else code.pages_text(code.needed_pages(subject))
    return Report(len(identity.RULES) + len(RULES), tuple(finding for _consumer, finding in found), _consumers(facts), needs)


def _consumers(facts: list[tuple[Rule, tuple[str, ...]]]) -> tuple[str, ...]:
    spoken_for = {consumer for rule, _facts in facts for consumer in rule.consumers}
    return tuple(consumer for consumer in CONSUMERS if consumer in spoken_for)
