# SPDX-License-Identifier: MIT
"""The consumers of a vDSO, and the table of rules: each demand is one rule, however many consumers make it.

A rule is a function that takes a `Subject` and yields facts in plain words, none when the rule is kept. It is registered
with the harm that a breach does to each consumer. Its docstring is the demand, with its source. One defect breaks one rule,
so a demand that several consumers share is one rule. A rule is silent where another broken rule leaves it nothing to judge
(such as no symbols).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..arch.arch import Arch
from .model import Subject

EVERY = "every program"
GLIBC = "glibc"
MUSL = "musl"
GO = "Go"
RUSTIX = "rustix"
LLVM_LIBC = "LLVM libc"
SELFTESTS = "kernel selftests and LTP"
BIONIC = "bionic"
UNWINDERS = "unwinders"
GDB = "gdb"
STRESS_NG = "stress-ng"
BINUTILS = "binutils"
KERNEL = "the kernel"
CONSUMERS = (
    EVERY, KERNEL, GLIBC, MUSL, GO, RUSTIX, LLVM_LIBC, SELFTESTS, BIONIC, UNWINDERS, GDB, STRESS_NG, BINUTILS
)  # fmt: skip

Check = Callable[[Subject], Iterator[str]]


@dataclass(frozen=True)
class Rule:
    """A demand on an image.

    harms       consumer and what happens to it if the rule is broken, a verb phrase ("finds nothing")
    spared      tells whether a consumer is not harmed on an architecture
    """

    name: str
    harms: tuple[tuple[str, str], ...]
    check: Check
    spared: Callable[[str, Arch], bool]

    def harms_on(self, arch: Arch) -> tuple[tuple[str, str], ...]:
        """Return the harms on an architecture."""
        return tuple((consumer, harm) for consumer, harm in self.harms if not self.spared(consumer, arch))

    @property
    def consumers(self) -> tuple[str, ...]:
        return tuple(consumer for consumer, _harm in self.harms)


RULES: dict[str, Rule] = {}


def _nobody(_consumer: str, _arch: Arch) -> bool:
    return False


def rule(name: str, *harms: tuple[str, str], spared: Callable[[str, Arch], bool] = _nobody) -> Callable[[Check], Check]:
    """Register the function under `name`."""

    def register(check: Check) -> Check:
        assert name not in RULES, name
        assert harms, name
        assert all(consumer in CONSUMERS for consumer, _harm in harms), name
        assert check.__doc__, name
        RULES[name] = Rule(name, harms, check, spared)
        return check

    return register
