# SPDX-License-Identifier: MIT
"""Who does what on which hart: scenarios for `order_world`, in the functions of the emitted code."""

from __future__ import annotations

from dataclasses import dataclass

from arch.riscv64.code_trace import BUFFER
from arch.riscv64.rvwmo import Fence
from linked_code import DATA

ANSWER = -1  # as an argument: the address of the calling hart's buffer
FLAGS = BUFFER + 0x800
HartCall = tuple[int, int]
"""The number of a hart, and which of its calls."""


@dataclass(frozen=True)
class Call:
    """One function and its arguments.

    writes      it updates the page
    reads       what it answers is looked at
    lives       it dies after so many instructions; None: it does not
    """

    function: str
    arguments: tuple[int, ...]
    writes: bool = False
    reads: bool = False
    lives: int | None = None


def update(function: str, *arguments: int) -> Call:
    return Call(function, (DATA, *arguments), writes=True)


def clock_gettime(clock: int) -> Call:
    return Call("__vdso_clock_gettime", (clock, ANSWER), reads=True)


def gettimeofday() -> Call:
    return Call("__vdso_gettimeofday", (ANSWER, 0), reads=True)


def clock_getres(clock: int) -> Call:
    return Call("__vdso_clock_getres", (clock, ANSWER), reads=True)


def system_call(clock: int, lock: int, unlock: int, fenced: bool) -> Call:
    """Return the kernel's own clock_gettime, which gets its lock by the flag `lock` and hands it on by the flag `unlock`."""
    arguments = (DATA, ANSWER, clock, FLAGS + 8 * lock, FLAGS + 8 * unlock)
    return Call("system_call_fenced" if fenced else "system_call", arguments, reads=True)


def tell(flag: int) -> Call:
    return Call("tell", (FLAGS + 8 * flag,))


def told(flag: int) -> Call:
    """Return a call that waits for `tell`: only executions count in which it has loaded what `tell` stored."""
    return Call("told", (FLAGS + 8 * flag,))


@dataclass(frozen=True)
class Scenario:
    """start: the page before; harts: the calls of each; later: pairs of reads, the second after the first.

    A hart that writes reads nothing but messages.
    """

    start: bytes
    harts: tuple[tuple[Call, ...], ...]
    later: tuple[tuple[HartCall, HartCall], ...] = ()


@dataclass(frozen=True)
class Weak:
    """In all calls of the side "writes" or "reads": what stands in place of fence number `ordinal`."""

    side: str
    ordinal: int
    instead: Fence | None


@dataclass(frozen=True)
class Verdict:
    """What some execution shows in which all reading calls answer without a system call.

    mix         one believed a row that is a mix of two states of it
    back        a later one answered an earlier time
    answers     there is such an execution
    """

    mix: bool
    back: bool
    answers: bool
