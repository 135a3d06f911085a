# SPDX-License-Identifier: MIT
"""From executed machine code to what the memory model asks: accesses, fences, and the dependencies between them.

A trace is a basis as sound as the code itself where it has the same accesses in every execution that matters. What
matters here has no other path: a writer's branches hang on what only writers touch, and a reader that believes the page
is straight code. Where that is assumed, it is checked (see `order_scenarios`).

Dependencies are those of the manual's section "Source and Destination Register Listings": by registers, whatever the
values. Loads, stores and jumps carry none on; a counter read has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from arch.riscv64.code_trace import Step
from arch.riscv64.machine import ECALL
from arch.riscv64.rvwmo import Access, Fence
from vdso.arch.effects import Add, Branch, Clobber, Const, Jump, Memory, Return

FENCE, SYSTEM, AMO = 0x0F, 0x73, 0x2F
LR, SC = 2, 3
LETTERS = ((8, "i"), (4, "o"), (2, "r"), (1, "w"))

Item = Access | Fence


class NotModelled(Exception):
    """An instruction whose order rvwmo.py has no rule for."""


def is_fence(step: Step) -> bool:
    return step.word & 0x7F == FENCE


def fence(step: Step) -> Fence:
    word = step.word
    if word >> 12 & 7 or word >> 28:
        raise NotModelled(f"{step.at:#x}: fence.i and fence.tso are not modelled ({word:#x})")
    before, after = (frozenset(c for bit, c in LETTERS if word >> shift & bit) for shift in (24, 20))
    return Fence(before, after)


def items(calls: Iterable[Sequence[Step]]) -> list[Item]:
    """Return the accesses and fences of a hart that executes these functions one after the other.

    Between calls registers pass nothing on: what a caller does with results could only add order.
    """
    return _flow(calls)[0]


def deciding(steps: Sequence[Step]) -> int:
    """Return the accesses (a mask) on which the path of this call depends."""
    return _flow([steps])[1]


def _flow(calls: Iterable[Sequence[Step]]) -> tuple[list[Item], int]:
    found: list[Item] = []
    count = control = 0
    for steps in calls:
        taint: dict[str, int] = {}  # register to the accesses that its value depends on
        for step in steps:
            effect, word = step.effect, step.word
            if is_fence(step):
                found.append(fence(step))
            elif step.samples:
                found.append(Access(reads=True, writes=False, counter=True, letter=step.sampled or "i", control=control))
                assert isinstance(effect, Clobber | Memory)
                taint |= dict.fromkeys(effect.results, 1 << count)
                count += 1
            elif isinstance(effect, Memory):
                found.append(_access(step, effect, taint, control))
                taint |= dict.fromkeys(effect.results, 1 << count)
                count += 1
            elif isinstance(effect, Branch):
                control |= _union(taint, effect.uses)
            elif isinstance(effect, Return):
                control |= taint.get("ra", 0)
            elif isinstance(effect, Jump):
                control |= taint.get(effect.base, 0)
                taint[effect.link or "zero"] = 0
            elif isinstance(effect, Const):
                taint[effect.register] = 0
            elif isinstance(effect, Add):
                taint[effect.register] = taint.get(effect.source, 0)
            elif isinstance(effect, Clobber) and word & 0x7F != SYSTEM:
                taint |= dict.fromkeys(effect.results, _union(taint, effect.uses))
            elif word != ECALL:
                raise NotModelled(f"{step.at:#x}: {word:#x} is not modelled")
            taint["zero"] = 0
    return found, control


def _access(step: Step, effect: Memory, taint: dict[str, int], control: int) -> Access:
    if step.word & 0x7F == AMO and (step.word >> 27 in (LR, SC) or step.word >> 25 & 3):
        raise NotModelled(f"{step.at:#x}: LR, SC and the bits aq and rl are not modelled ({step.word:#x})")
    if step.address % step.size:
        raise NotModelled(f"{step.at:#x}: a misaligned access at {step.address:#x}")
    return Access(
        reads=bool(effect.results),
        writes=effect.stores,
        start=step.address,
        size=step.size,
        address=taint.get(effect.base, 0),
        data=_union(taint, effect.uses),
        control=control,
    )


def _union(taint: dict[str, int], registers: Iterable[str]) -> int:
    mask = 0
    for register in registers:
        mask |= taint.get(register, 0)
    return mask


def weakened(steps: Sequence[Step], ordinal: int, instead: Fence | None) -> tuple[Step, ...]:
    """Return the trace with another fence, or none, in place of its fence number `ordinal`."""
    at = [i for i, step in enumerate(steps) if is_fence(step)][ordinal]
    if instead is None:
        return (*steps[:at], *steps[at + 1 :])
    sides = ((24, instead.before), (20, instead.after))
    word = FENCE | sum(bit << shift for shift, side in sides for bit, letter in LETTERS if letter in side)
    return (*steps[:at], replace(steps[at], word=word), *steps[at + 1 :])
