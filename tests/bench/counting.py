# SPDX-License-Identifier: MIT
"""Retired instructions of a call, entry to return inclusive, together with the proof that the call did its work."""

from __future__ import annotations

from dataclasses import dataclass

from exact_clock import FRESH_NS, NSEC, error_ns
from one_cpu import Result, Stopped

from .calls import Call
from .subject import Subject


@dataclass(frozen=True)
class Count:
    """instructions: None where the call was not made or not answered, and `reason` says why."""

    instructions: int | None
    system_calls: int = 0
    reason: str = ""


class Wrong(Exception):
    """The function answered, and not with the time."""


def count(subject: Subject, call: Call) -> Count:
    function = subject.functions.get(call.export)
    if function is None:
        return Count(None, reason="no such export")
    if function.address is None or function.reason:
        return Count(None, reason=function.reason)
    try:
        result = subject.machine.call(function.address, *call.arguments, counter=subject.counter)
    except Stopped as error:
        return Count(None, reason=f"can't run: {error}")
    judge(subject, call, result)
    return Count(result.instructions, len(result.syscalls))


def judge(subject: Subject, call: Call, result: Result) -> None:
    """Raise `Wrong` unless the call made one system call where it must, or answered within FRESH_NS (or 1 us) where not."""
    exact = subject.exact(call)
    if exact is None:
        right = len(result.syscalls) == 1
    elif call.export == "gettimeofday":
        sec, usec = result.words()
        right = not result.syscalls and 0 <= exact * 10**6 - (sec * 10**6 + usec) < 1
    else:
        sec, nsec = result.words()
        right = not result.syscalls and 0 <= nsec < NSEC and abs(error_ns(sec, nsec, exact)) < FRESH_NS
    if not right or result.value != 0:
        wanted = "one system call" if exact is None else f"{float(exact):.9f}"
        given = f"{len(result.syscalls)} system calls, {result.words()}, and returns {result.value}"
        raise Wrong(f"{subject.name}: {call.export} {call.case} gives {given}; it should give {wanted}")


def counts(subject: Subject) -> dict[Call, Count]:
    return {call: count(subject, call) for call in subject.calls}
