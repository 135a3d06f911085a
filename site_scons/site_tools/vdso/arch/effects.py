# SPDX-License-Identifier: MIT
"""The effects of an instruction that `image/analysis` follows. The decoder of each architecture makes them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Const:
    """register = value. `relative`: made from the program counter; `partial`: the high part, to be completed."""

    register: str
    value: int
    relative: bool = False
    partial: bool = False


@dataclass(frozen=True)
class Add:
    """register = source + immediate; a plain copy where `copy`."""

    register: str
    source: str
    immediate: int
    copy: bool = False


@dataclass(frozen=True)
class Memory:
    """Access at base + offset: a load into `result`, a store of `source`, or both (atomics)."""

    base: str
    offset: int
    result: str | None
    source: str | None


@dataclass(frozen=True)
class Branch:
    target: int
    uses: tuple[str, ...]


@dataclass(frozen=True)
class Jump:
    """To `target`, else to base + offset. With `link` it is a call."""

    target: int | None
    base: str = ""
    offset: int = 0
    link: str | None = None


@dataclass(frozen=True)
class Return:
    pass


@dataclass(frozen=True)
class SystemCall:
    pass


@dataclass(frozen=True)
class Trap:
    pass


@dataclass(frozen=True)
class Clobber:
    """Anything else: `register` gets a value that is not followed."""

    register: str | None
    uses: tuple[str, ...]


Effect = Const | Add | Memory | Branch | Jump | Return | SystemCall | Trap | Clobber
