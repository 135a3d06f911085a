# SPDX-License-Identifier: MIT
"""The changes of a splice: patches, which declare each before it is made, and the records of changes and exports after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..ranges import Span


@dataclass(frozen=True)
class Export:
    """What became of one export of the base, or one that the user added. Addresses are offsets in the image, sizes bytes.

    name        with its prefix, as programs look it up
    short       without it
    policy      replace, syscall, keep, hide or add
    address     of the code in the image, None when hidden
    size        of the code in the image, None when hidden
    base_address, base_size     the slot: where the base had it, None when added
    placement   the kind of room that the code went to (see `place.placement`); "" when kept or hidden
    """

    name: str
    short: str
    policy: str
    address: int | None
    size: int | None
    base_address: int | None
    base_size: int | None
    placement: str = ""

    @property
    def span(self) -> Span | None:
        """Return where its code lies in the image; None when hidden."""
        return None if self.address is None or self.size is None else Span(self.address, self.size)


@dataclass(frozen=True)
class Change:
    """Bytes [start, end) of the image that differ from the base (zero behind its end), and which field or slot they are."""

    start: int
    end: int
    what: str


@dataclass(frozen=True)
class Patch:
    """`data` is to be written at `start`; `what`: the field or slot that it changes."""

    start: int
    data: bytes
    what: str

    @property
    def span(self) -> Span:
        return Span(self.start, len(self.data))


def applied(data: bytes, patches: Sequence[Patch]) -> bytes:
    """Return `data` with the patches written."""
    changed = bytearray(data)
    for patch in patches:
        changed[patch.span.start : patch.span.end] = patch.data
    return bytes(changed)


def padded(file: bytes, size: int) -> bytes:
    """Return the base's file, cut or filled with zeros to `size` bytes: an image of that size is compared with it."""
    return file[:size].ljust(size, b"\0")


def declared(old: bytes, new: bytes, patches: Sequence[Patch]) -> tuple[Change, ...]:
    """Return the changed bytes as runs, each within one patch. AssertionError where a byte changed that no patch declares."""
    changes = []
    position = 0
    for patch in sorted(patches, key=lambda p: p.start):
        if patch.start < position or old[position : patch.start] != new[position : patch.start]:
            raise AssertionError(f"{patch.what}: declared twice, or changed undeclared, before {patch.start:#x}")
        position = patch.span.end
        start: int | None = None
        for at in range(patch.start, position + 1):
            differs = at < position and old[at] != new[at]
            if differs and start is None:
                start = at
            elif not differs and start is not None:
                changes.append(Change(start, at, patch.what))
                start = None
    if old[position:] != new[position:]:
        raise AssertionError(f"changed undeclared, behind {position:#x}")
    return tuple(changes)
