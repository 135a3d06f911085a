# SPDX-License-Identifier: MIT
"""Finds what the user's sources export: each of their global functions whose name has the prefix of exports."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..arch.arch import Arch
from ..elf.limits import MOST_SYMBOLS
from ..errors import VdsoError
from .objects import Object

_SHORT = re.compile("[A-Za-z][A-Za-z0-9_]*")


def user_exports(objects: Sequence[Object], others: Iterable[str], arch: Arch) -> tuple[str, ...]:
    """Return the names that the user's files among `objects` export, in the order of the files and of the code in them.

    others      the exports of the base, with which a new one may not share a constant of vdso.h

    VdsoError for a name that no constant can have, for two names that make the same constant, for what is not a function,
    and for more of them than an image may have.
    """
    prefix = arch.export_prefix
    constants = {name.upper(): name for name in others}
    found: list[str] = []
    for file in (file for file in objects if file.users):
        _refuse_useless(file, objects, prefix)
        for name in sorted((name for name in file.defined if name.startswith(prefix)), key=lambda n: file.defined[n]):
            if name in found:  # `place.units` says who else has it
                continue
            short = arch.short(name)
            if not _SHORT.fullmatch(short):
                todo = f"take a letter, then letters, digits and `_` behind {prefix}: VDSO_SYM_ and the name are a constant"
                raise VdsoError(file.source, f"exports `{name}`", todo)
            section, _, size = file.defined[name]
            if section not in file.sections or not file.sections[section].executable or not size:
                what = f"`{name}` is not a function of known size"
                raise VdsoError(file.source, what, f"only functions are exported: call all else something without {prefix}")
            other = constants.setdefault(name.upper(), name)
            if other != name:
                what = f"`{name}` and `{other}` would both be VDSO_SYM_{short.upper()}"
                raise VdsoError(file.source, what, "rename it")
            if len(constants) >= MOST_SYMBOLS:  # with the symbol 0, which has no name
                what = f"`{name}` makes {len(constants)} exports (limit: {MOST_SYMBOLS - 1})"
                raise VdsoError(file.source, what, "export fewer")
            found.append(name)
    return tuple(found)


def _refuse_useless(file: Object, objects: Sequence[Object], prefix: str) -> None:
    """Refuse, with VdsoError, a file that exports nothing and that no other file of `objects` calls."""
    needed = {name for other in objects if other is not file for used in other.uses.values() for name in used}
    if not any(name.startswith(prefix) or name in needed for name in file.defined):
        meant = next((name for name in file.defined if name.lstrip("_").startswith(prefix.strip("_"))), "")
        todo = f"did you mean {prefix}{meant.lstrip('_').removeprefix(prefix.strip('_') + '_')}? " if meant else ""
        what = f"no global function in it has a name that begins with {prefix}, so it exports nothing"
        raise VdsoError(file.source, what, f"{todo}name one so, or take the file out of EXTRA_SRC")
