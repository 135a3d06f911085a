# SPDX-License-Identifier: MIT
"""Who made a vDSO, and so whose its bytes are. It follows from what the file says of itself, never from what it lacks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..elf import our_note

_OWN, _UNKNOWN = "none", "unknown"
"""What vdso.json says in place of a version: no Linux has a part in it; one has, which does not say its version."""


@dataclass(frozen=True)
class Maker:
    """A Linux, or we ourselves.

    own     it is the base `minimal`, all of which is ours
    linux   version of the Linux, "7.2.13"; "" where it names none, as those up to 5.9 do
    """

    own: bool
    linux: str

    def __str__(self) -> str:
        if self.own:
            return "minimal"
        return f"Linux {self.linux}" if self.linux else "Linux of unknown version"

    @property
    def version(self) -> str:
        """Return the version as vdso.json has it, which `from_version` reads."""
        return _OWN if self.own else self.linux or _UNKNOWN


def from_version(version: str) -> Maker:
    """Return the maker whose `version` this is."""
    return Maker(version == _OWN, "" if version in (_OWN, _UNKNOWN) else version)


def maker(notes: Iterable[tuple[bytes, int, bytes]]) -> Maker:
    """Return who made a vDSO with these notes (owner, type, descriptor).

    Linux's own note is since 5.10 that of include/linux/elfnote-lto.h; ours is elf/our_note.py. A vDSO with neither is taken
    for an older Linux's: so no licence of its maker's gets lost.
    """
    own, linux = False, ""
    for owner, kind, desc in notes:
        own |= (owner, kind) == (our_note.MINIMAL, our_note.TYPE)
        if owner == b"Linux\0" and kind == 0 and len(desc) == 4 and not linux:
            code = int.from_bytes(desc, "little")
            linux = f"{code >> 16}.{code >> 8 & 0xFF}.{code & 0xFF}"
    return Maker(own and not linux, linux)
