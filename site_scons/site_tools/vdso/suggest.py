# SPDX-License-Identifier: MIT
"""What a misspelt word may have meant."""

from __future__ import annotations

from collections.abc import Iterable


def near(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return the known word that `word` is closest to, in whatever case; "" where none is close.

    cutoff  how much of the two words must agree, from 0 to 1 (`difflib`)
    """
    from difflib import get_close_matches  # imported late: a build with nothing to do must not pay for it

    by_folded = {name.casefold(): name for name in known}
    close = get_close_matches(word.casefold(), by_folded, n=1, cutoff=cutoff)
    return by_folded[close[0]] if close else ""


def choice(word: str, known: Iterable[str], said: str = "it is one of") -> str:
    """Return what to do about a `word` that is none of the known ones: the one that may have been meant, and all of them.

    said    the words before all of them
    """
    names = list(known)
    meant = near(word, names)
    return f"{f'did you mean {meant}? ' if meant else ''}{said} {', '.join(names)}"
