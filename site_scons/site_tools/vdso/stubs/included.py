# SPDX-License-Identifier: MIT
"""Which files an object file was made from: the compiler's own list of them, kept beside the object with their digests.

SCons looks for `#include` in the text, and can't see what a macro names there. So each compilation writes a record, and the
next build compiles again where a file of the record is no longer as it was.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

SUFFIXES = (".c", ".S")
"""The ends of the names of sources: the compiler takes what to do with a file from them."""
RECORD = ".included.json"
"""The end of the name of a record, in place of the object's `.o`."""

_SEEN, _UNSEEN = "seen by SCons", "not seen by SCons"
_WORD = re.compile(r"(?:\\[ \t#\\]|\S)+")
_ESCAPED = re.compile(r"\\([ \t#\\])|\$(?=\$)")
_ASSEMBLER_READS = re.compile(rb'\.(?:incbin|include)\s+\\?"([^"\\\n]+)\\?"')


def record_of(name: str) -> str:
    """Return the name of the record of an object file."""
    return name.removesuffix(".o") + RECORD


def record(source: Path, rule: str, seen: Iterable[Path]) -> bytes:
    """Return the record of `source` and of all that it includes: path to SHA-256, for those that SCons sees and for the rest.

    rule        what the compiler wrote as a rule for make: a target, a colon, and the files
    seen        the files that SCons looks at itself before it compiles

    The assembler's own `.include` and `.incbin` are no part of that rule, so they are looked for in the files.
    """
    known = {path.resolve() for path in seen}
    names = [_ESCAPED.sub(r"\1", word) for word in _WORD.findall(rule.replace("\\\n", " ").partition(": ")[2])]
    digests: dict[str, dict[str, str]] = {_SEEN: {}, _UNSEEN: {}}
    ahead = [source, *map(Path, names)]
    while ahead:
        path = ahead.pop(0)
        part = digests[_SEEN if path.resolve() in known else _UNSEEN]
        if str(path) not in part and path.is_file():
            data = path.read_bytes()
            part[str(path)] = hashlib.sha256(data).hexdigest()
            ahead += [Path(found.decode(errors="surrogateescape")) for found in _ASSEMBLER_READS.findall(data)]
    return json.dumps(digests, indent=1).encode()


def changed(path: Path, top: Path) -> bool:
    """Tell whether a file of the record at `path` that SCons does not see is gone or has changed.

    top         the folder of the compilation
    """
    try:
        digests = json.loads(path.read_bytes())[_UNSEEN]
        return any(hashlib.sha256((top / name).read_bytes()).hexdigest() != digest for name, digest in digests.items())
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        return path.exists()


def included(records: Iterable[bytes]) -> list[Path]:
    """Return the files of some records, each once."""
    parts = [json.loads(data) for data in records]
    return list(dict.fromkeys(Path(name) for part in parts for name in (*part[_SEEN], *part[_UNSEEN])))
