# SPDX-License-Identifier: MIT
"""The names of the tool's construction variables, and the refusal of a misspelt one, whose value nothing would read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import variables
from ..errors import VdsoError
from ..suggest import near
from . import builders

_CALLERS = ("VDSO_CC", "VDSO_LD", "VDSO_CCFLAGS", "VDSO_OUT", "VDSO_BASE")
"""What the tool reads where the caller sets it, and does not set; the last two are the SConscript's."""
_MISSPELT = 0.8
"""How much of a name in the caller's environment must agree with one of ours, to be taken for it: others are the caller's."""


def refuse_unknown(env: Any, overrides: Mapping[str, Any]) -> None:
    """Refuse, with VdsoError, a setting that the tool does not know.

    overrides   keywords of the call: with VDSO_ before it each must be known, and without it none of ours may be meant
    env         what lies there is refused only where it looks like a misspelt one of ours
    """
    known = {*variables.defaults(), *builders.defaults(), *_CALLERS}
    for name in overrides:
        if name not in known and (name.startswith(variables.PREFIX) or _meant(name, known)):
            raise _unknown(name, known)
    for name in env.Dictionary():
        if name.startswith(variables.PREFIX) and name not in known and _meant(name, known):
            raise _unknown(name, known)


def _meant(name: str, known: set[str]) -> str:
    """Return the known name that `name` may be a misspelling of, by what is behind VDSO_; "" where there is none."""
    bare = {each.removeprefix(variables.PREFIX): each for each in known}
    found = near(name.removeprefix(variables.PREFIX), bare, _MISSPELT)
    return bare.get(found, "")


def _unknown(name: str, known: set[str]) -> VdsoError:
    meant = _meant(name, known)
    todo = f"did you mean {meant}? " if meant else ""
    return VdsoError(name, "unknown construction variable of scons-vdso", f"{todo}docs/scons.md lists them")
