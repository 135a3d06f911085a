# SPDX-License-Identifier: MIT
"""One input of a run, made from choices."""

from __future__ import annotations

from collections.abc import Sequence

from . import wrap
from .bases import Seeds, any_spec, build_base
from .choices import Choices
from .mutate import mutate
from .way import Case

PAGES = ("after", "after", "before", "none")
NO_POLICY = ("", "", "")
SEVERAL = (2, 3, 4, 6, 8, 12)


def case(choices: Choices, seeds: Seeds) -> Case:
    return choices.pick(FAMILIES)(choices, seeds)


def _base(entries: Sequence[str], data: bytes, choices: Choices, seeds: Seeds) -> Case:
    """Return a case that begins with a base, or a file that holds one."""
    policies = (*NO_POLICY, *seeds.fuzzed.policies)
    return Case(choices.pick(entries), data, choices.pick(PAGES), choices.pick(policies))


def changed(choices: Choices, seeds: Seeds) -> Case:
    """Return a known base, changed."""
    data = mutate(choices.pick(seeds.sound), seeds.fuzzed, choices, SEVERAL)
    return _base(("model", "model", "file"), data, choices, seeds)


def nearly(choices: Choices, seeds: Seeds) -> Case:
    """Return a known base, changed so little that most are still sound."""
    data = mutate(choices.pick(seeds.sound), seeds.fuzzed, choices)
    return _base(("model", "file"), data, choices, seeds)


def made(choices: Choices, seeds: Seeds) -> Case:
    """Return a base as random as possible, mostly changed."""
    data = build_base(any_spec(seeds.fuzzed, choices))
    data = mutate(data, seeds.fuzzed, choices, SEVERAL) if not choices.chance(8) else data
    return _base(("model", "file"), data, choices, seeds)


def wrapped(choices: Choices, seeds: Seeds) -> Case:
    inner = choices.pick(choices.pick((seeds.sound, seeds.strange, seeds.strange)))
    if inner in seeds.sound and not choices.chance(4):
        inner = mutate(inner, seeds.fuzzed, choices, SEVERAL)
    return _base(("file",), wrap.wrap(inner, choices), choices, seeds)


def checked(choices: Choices, seeds: Seeds) -> Case:
    """Return an image for `check`."""
    return Case("image", mutate(choices.pick(seeds.images), seeds.fuzzed, choices))


def odd(choices: Choices, seeds: Seeds) -> Case:
    """Return a file that is not nearly sound."""
    data = bytearray(choices.pick(choices.pick((seeds.strange, seeds.sound))))
    for _ in range(choices.pick((1, 4, 64))):
        data[choices.below(min(len(data), choices.pick((64, 512, 1 << 16))))] = choices.below(256)
    del data[choices.below(len(data)) if choices.chance(3) else len(data) :]
    return Case(choices.pick(("model", "file", "image")), bytes(data))


FAMILIES = (changed,) * 11 + (nearly,) + (made,) * 2 + (wrapped,) * 6 + (checked,) * 2 + (odd,) * 5
