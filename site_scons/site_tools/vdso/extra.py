# SPDX-License-Identifier: MIT
"""What the user's sources export: each of their global functions whose name begins with `__vdso_`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .errors import VdsoError
from .image import MOST_SYMBOLS
from .objects import Object
from .policy import PREFIX

_NAME = re.compile(PREFIX + "[A-Za-z][A-Za-z0-9_]*")


def exports(objects: Sequence[Object], others: Iterable[str]) -> tuple[str, ...]:
    """The names that `objects`, the user's, export, in the order of the files and of what stands in them.

    others      the exports of the base, with which a new one may not share a constant of vdso.h

    VdsoError for a name that no constant can have, for two that would have the same, for what is not a function, and for
    more of them than an image may have.
    """
    constants = {name.upper(): name for name in others}
    found: list[str] = []
    for object in objects:
        for name in sorted((name for name in object.defined if name.startswith(PREFIX)), key=lambda n: object.defined[n]):
            if name in found:  # `objects.units` says who else has it
                continue
            if not _NAME.fullmatch(name):
                todo = f"take a letter, then letters, digits and `_` behind {PREFIX}: VDSO_SYM_ and the name are a constant"
                raise VdsoError(object.source, f"exports `{name}`", todo)
            section, _, size = object.defined[name]
            if section not in object.sections or not object.sections[section].executable or not size:
                what = f"`{name}` is not a function of known size"
                raise VdsoError(object.source, what, f"only functions are exported: call all else something without {PREFIX}")
            other = constants.setdefault(name.upper(), name)
            if other != name:
                constant = f"VDSO_SYM_{name.removeprefix(PREFIX).upper()}"
                raise VdsoError(object.source, f"`{name}` and `{other}` would both be {constant}", "rename it")
            if len(constants) >= MOST_SYMBOLS:  # with the symbol 0, which has no name
                what = f"`{name}` makes {len(constants):#x} exports (limit: {MOST_SYMBOLS - 1:#x})"
                raise VdsoError(object.source, what, "export fewer")
            found.append(name)
    return tuple(found)
