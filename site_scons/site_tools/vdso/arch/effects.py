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
class Bits:
    """register = (source & keep) | bits: a part of a constant that takes several instructions."""

    register: str
    source: str
    keep: int
    bits: int


@dataclass(frozen=True)
class Memory:
    """An access at base + (index << shift) + offset, or at `target`, an address relative to the program counter.

    results     registers that get a value that is not followed: what is loaded
    uses        registers that are read beside base and index: what is stored
    stores      memory is written; it may be read as well (atomics)
    index       a register; "" for none
    index_bits  how many bits of it count; less than 0: so many, as a number with a sign
    step        what the base is moved by, too
    into        the register that gets base + step in place of the base; "" for the base itself
    """

    base: str = ""
    offset: int = 0
    results: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    stores: bool = False
    target: int | None = None
    index: str = ""
    shift: int = 0
    index_bits: int = 64
    step: int = 0
    into: str = ""


@dataclass(frozen=True)
class Branch:
    """A jump to `target`, or on to the next instruction."""

    target: int
    uses: tuple[str, ...]


@dataclass(frozen=True)
class Jump:
    """A jump to `target`, or else to base + offset. With `link` it is a call: the register that it writes, "" for the stack."""

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
    """Anything else: `results` are the registers that get a value that is not followed."""

    results: tuple[str, ...]
    uses: tuple[str, ...]


@dataclass(frozen=True)
class KernelState:
    """A Clobber whose results come from state that only a kernel sets: a kernel other than Linux may have another value."""

    results: tuple[str, ...]
    uses: tuple[str, ...]


Effect = Const | Add | Bits | Memory | Branch | Jump | Return | SystemCall | Trap | Clobber | KernelState
