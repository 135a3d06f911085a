# SPDX-License-Identifier: MIT
"""The record of what is measured of an architecture, which `measured.py` of each folder in tests/arch fills in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from one_cpu import OneCpu
from vdso.arch.arch import Arch

from .calls import Call

if TYPE_CHECKING:
    from .subject import Subject

Rows = tuple[list[dict[str, Any]], list[str]]
"""A row for each core, and a line for what was not measured (cycles.py)."""


@dataclass(frozen=True)
class Most:
    """Instructions that a call may take, entry to return inclusive, as `tool` makes the code.

    clock       clock_gettime of each clock that is served, with a data page
    day         gettimeofday, with a data page
    without     clock_gettime(MONOTONIC) without a data page, at any frequency
    tool        name of the compiler in vdso.json, and a part of what it says of its version
    """

    clock: int
    day: int
    without: int
    tool: tuple[str, str]

    def counted_by(self, facts: Mapping[str, Any]) -> bool:
        """Tell whether the blob that a vdso.json describes is made by this compiler."""
        name, version = self.tool
        return version in facts["tools"].get(name, "")


@dataclass(frozen=True)
class Measured:
    """
    machine     runs a call
    most        what a call of ours may take
    linux       instructions of clock_gettime(MONOTONIC) of Linux 7.2
    calls       of exports that not every architecture has
    cycles      counts cycles of a call on models of cores; None: no model is known
    """

    arch: Arch
    machine: type[OneCpu]
    most: Most
    linux: int
    calls: tuple[Call, ...] = ()
    cycles: Callable[[Sequence[Subject], Path], Rows] | None = None
