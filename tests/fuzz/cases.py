# SPDX-License-Identifier: MIT
"""One input of a run, made from choices."""

from __future__ import annotations

from . import bases, wrap
from .bases import any_spec, build_base
from .choices import Choices
from .mutate import mutate
from .way import Case

PAGES = ("after", "after", "before", "none")
POLICIES = ("", "", "", "getcpu:hide", "flush_icache:syscall", "clock_getres:hide", "getcpu:keep", "rt_sigreturn:hide")


SEVERAL = (2, 3, 4, 6, 8, 12)


def case(choices: Choices) -> Case:
    return choices.pick(FAMILIES)(choices)


def changed(choices: Choices) -> Case:
    """Return a known base, changed."""
    data = mutate(choices.pick(bases.sound()), choices, SEVERAL)
    return Case(choices.pick(("model", "model", "file")), data, choices.pick(PAGES), choices.pick(POLICIES))


def nearly(choices: Choices) -> Case:
    """Return a known base, changed so little that most are still sound."""
    data = mutate(choices.pick(bases.sound()), choices)
    return Case(choices.pick(("model", "file")), data, choices.pick(PAGES), choices.pick(POLICIES))


def made(choices: Choices) -> Case:
    """Return a base as random as possible, mostly changed."""
    data = build_base(any_spec(choices))
    data = mutate(data, choices, SEVERAL) if not choices.chance(8) else data
    return Case(choices.pick(("model", "file")), data, choices.pick(PAGES), choices.pick(POLICIES))


def wrapped(choices: Choices) -> Case:
    inner = choices.pick(choices.pick((bases.sound(), bases.strange(), bases.strange())))
    inner = mutate(inner, choices, SEVERAL) if inner in bases.sound() and not choices.chance(4) else inner
    return Case("file", wrap.wrap(inner, choices), choices.pick(PAGES), choices.pick(POLICIES))


def checked(choices: Choices) -> Case:
    """Return an image for `check`."""
    return Case("image", mutate(choices.pick(bases.images()), choices))


def odd(choices: Choices) -> Case:
    """Return a file that is not nearly sound."""
    data = bytearray(choices.pick(choices.pick((bases.strange(), bases.sound()))))
    for _ in range(choices.pick((1, 4, 64))):
        data[choices.below(min(len(data), choices.pick((64, 512, 1 << 16))))] = choices.below(256)
    del data[choices.below(len(data)) if choices.chance(3) else len(data) :]
    return Case(choices.pick(("model", "file", "image")), bytes(data))


FAMILIES = (changed,) * 11 + (nearly,) + (made,) * 2 + (wrapped,) * 6 + (checked,) * 2 + (odd,) * 5
