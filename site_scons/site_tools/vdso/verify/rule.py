# SPDX-License-Identifier: MIT
"""The consumers of a vDSO, and the table of rules: one rule a demand, whoever makes it.

A rule is a function from a `Subject` to facts in plain words, none when it is kept. It is registered with what its
breach means to each consumer, and its docstring states the demand and where that stands. A demand that several consumers
share is one rule: one defect breaks one rule. Where a rule can't be judged since another one is broken (no symbols to
look at), it is silent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .model import Subject

EVERY = "every program"
GLIBC = "glibc"
MUSL = "musl"
GO = "Go"
RUSTIX = "rustix"
SELFTESTS = "kernel selftests and LTP"
BIONIC = "bionic"
UNWINDERS = "unwinders"
GDB = "gdb"
BINUTILS = "binutils"
KERNEL = "the kernel"
CONSUMERS = (EVERY, KERNEL, GLIBC, MUSL, GO, RUSTIX, SELFTESTS, BIONIC, UNWINDERS, GDB, BINUTILS)

Check = Callable[[Subject], Iterator[str]]


@dataclass(frozen=True)
class Rule:
    """`harms`: consumer and what a broken rule does to it, a verb phrase ("finds nothing")."""

    name: str
    harms: tuple[tuple[str, str], ...]
    check: Check

    @property
    def consumers(self) -> tuple[str, ...]:
        return tuple(consumer for consumer, _harm in self.harms)


RULES: dict[str, Rule] = {}


def rule(name: str, *harms: tuple[str, str]) -> Callable[[Check], Check]:
    """Registers the function under `name`."""

    def register(check: Check) -> Check:
        assert name not in RULES, name
        assert harms, name
        assert all(consumer in CONSUMERS for consumer, _harm in harms), name
        assert check.__doc__, name
        RULES[name] = Rule(name, harms, check)
        return check

    return register
